/** What tests read from the workloads among the manifests. */
import type { Manifest } from './kubernetes-manifests.ts';

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly scheme?: 'HTTP' | 'HTTPS' };
  readonly periodSeconds: number;
  readonly failureThreshold?: number;
}

export interface EnvironmentEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly EnvironmentEntry[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly resources: { readonly requests: object; readonly limits: object };
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface TokenProjection {
  readonly path: string;
  readonly audience: string;
  readonly expirationSeconds: number;
}

export interface Volume {
  readonly name: string;
  readonly secret?: { readonly secretName: string };
  readonly configMap?: { readonly name: string };
  readonly projected?: { readonly sources: readonly { readonly serviceAccountToken: TokenProjection }[] };
}

export interface Workload extends Manifest {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly serviceAccountName: string;
        readonly automountServiceAccountToken: boolean;
        readonly terminationGracePeriodSeconds?: number;
        readonly securityContext: Readonly<Record<string, unknown>>;
        readonly containers: readonly Container[];
        readonly volumes: readonly Volume[];
      };
    };
  };
}

export function isWorkload(manifest: Manifest): manifest is Workload {
  return manifest.kind === 'Deployment' || manifest.kind === 'StatefulSet';
}

/** @throws Error where there is none of that name */
export function findWorkload(manifests: readonly Manifest[], name: string): Workload {
  const found = manifests.filter(isWorkload).find(({ metadata }) => metadata.name === name);
  if (found === undefined) throw new Error(`there is no workload ${name}`);
  return found;
}

/** The one container that these workloads have. */
export function containerOf({ metadata, spec }: Workload): Container {
  const [container, ...others] = spec.template.spec.containers;
  if (container !== undefined && others.length === 0) return container;
  throw new Error(`${metadata.name} has not one container`);
}
