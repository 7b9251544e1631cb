/** What no schema says of the manifests: that they fit together, and that their pods may do little. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildOverlay, exampleDirectory, type Manifest } from '../../helpers/kubernetes-manifests.ts';
import { allowedConnections } from '../../helpers/kubernetes-network.ts';
import {
  type Container,
  containerOf,
  findWorkload,
  isWorkload,
  type TokenProjection,
  type Workload,
} from '../../helpers/kubernetes-workloads.ts';

type Labels = Readonly<Record<string, string>>;

/** Made by whoever deploys it, as the README says; and what Kubernetes makes itself. */
const madeElsewhere = [
  'Secret service-auth/issuer-database',
  'Secret service-auth/issuer-secrets',
  'Secret service-auth/issuer-tls',
  'Secret shop/orders-tls',
  'ConfigMap shop/service-auth-ca',
  'ConfigMap service-auth/kube-root-ca.crt',
];
const overlays = readdirSync(join(exampleDirectory, 'overlays'));

const podOf = ({ spec }: Workload) => spec.template.spec;

function argument({ args = [] }: Container, flag: string): string {
  return args[args.indexOf(flag) + 1] ?? '';
}

function variable({ env = [] }: Container, name: string): string {
  return env.find((entry) => entry.name === name)?.value ?? '';
}

function projectionOf(workload: Workload): TokenProjection {
  const [found, ...others] = podOf(workload).volumes.flatMap(({ projected }) => projected?.sources ?? []);
  if (found === undefined || others.length > 0) throw new Error('there is not one projected token');
  return found.serviceAccountToken;
}

describe.each(overlays)('in the overlay %s', (overlay) => {
  const { manifests } = buildOverlay(overlay);
  const workloads = manifests.filter(isWorkload);
  const named = (kind: string, namespace: string | undefined, name: string): string =>
    `${kind} ${namespace}/${name}`;
  const there = new Set([
    ...manifests.map(({ kind, metadata }) => named(kind, metadata.namespace, metadata.name)),
    ...madeElsewhere,
  ]);
  const select = (namespace: string | undefined, labels: Labels): Workload[] =>
    workloads.filter(
      ({ metadata, spec }) =>
        metadata.namespace === namespace &&
        Object.entries(labels).every(([key, value]) => spec.template.metadata.labels[key] === value),
    );

  describe.each(workloads.map((workload) => [workload.metadata.name, workload] as const))(
    '%s',
    (_, workload) => {
      const { namespace } = workload.metadata;
      const container = containerOf(workload);
      const pod = podOf(workload);

      it('selects its own pods', () => {
        expect(select(namespace, workload.spec.selector.matchLabels)).toEqual([workload]);
      });

      it('uses accounts, secrets and files that are there', () => {
        const wanted = [
          named('ServiceAccount', namespace, pod.serviceAccountName),
          ...pod.volumes.flatMap(({ secret, configMap }) => [
            ...(secret === undefined ? [] : [named('Secret', namespace, secret.secretName)]),
            ...(configMap === undefined ? [] : [named('ConfigMap', namespace, configMap.name)]),
          ]),
          ...(container.env ?? []).flatMap(({ valueFrom }) =>
            valueFrom === undefined ? [] : [named('Secret', namespace, valueFrom.secretKeyRef.name)],
          ),
        ];
        expect(wanted.filter((name) => !there.has(name))).toEqual([]);
        const paths = [...(container.args ?? []), ...(container.env ?? []).map(({ value = '' }) => value)];
        const mounts = container.volumeMounts.map(({ mountPath }) => mountPath);
        const unmounted = paths.filter(
          (path) => path.startsWith('/') && !mounts.some((mount) => path.startsWith(`${mount}/`)),
        );
        expect(unmounted).toEqual([]);
      });

      it('is what the Pod Security Standard calls restricted, and writes to no disk of its own', () => {
        expect(pod.automountServiceAccountToken).toBe(false);
        expect(pod.securityContext).toMatchObject({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        const owner = manifests.find(
          ({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace,
        );
        expect(owner?.metadata.labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
      });

      it('says what it needs, and how it is seen to live', () => {
        const { requests, limits } = container.resources;
        expect(requests).toEqual({ cpu: expect.any(String), memory: expect.any(String) });
        expect(limits).toEqual({ memory: expect.any(String) });
        for (const { httpGet } of [container.livenessProbe, container.readinessProbe]) {
          if (httpGet === undefined) continue;
          expect(container.ports.map(({ name }) => name)).toContain(httpGet.port);
        }
        const probes = [container.livenessProbe, container.readinessProbe].map(
          ({ httpGet }) => httpGet?.path,
        );
        expect(probes).toEqual(
          workload.kind === 'Deployment' ? ['/healthz', '/readyz'] : [undefined, undefined],
        );
      });

      it('has the time to end well', () => {
        const drain = Number(
          argument(container, '--drain-seconds') || variable(container, 'DRAIN_SECONDS') || '0',
        );
        const { terminationGracePeriodSeconds = 30 } = pod;
        const CLOSE_SECONDS = 10;
        expect(terminationGracePeriodSeconds).toBeGreaterThan(drain + CLOSE_SECONDS);
        // By then the probe must have failed, and load balancers have heard of it.
        const { periodSeconds } = container.readinessProbe;
        if (drain > 0) expect(drain).toBeGreaterThan(2 * periodSeconds);
      });
    },
  );

  it('services, budgets and network policies are for pods that are there, at ports that they have', () => {
    const selectors = manifests.flatMap((manifest) => selectorsOf(manifest));
    expect(selectors.length).toBeGreaterThan(8);
    for (const { owner, labels, ports } of selectors) {
      const selected = select(owner.metadata.namespace, labels);
      expect([owner.metadata.name, selected.length > 0]).toEqual([owner.metadata.name, true]);
      const open = selected.flatMap((one) =>
        containerOf(one).ports.flatMap(({ name, containerPort }) => [name, containerPort]),
      );
      expect(open).toEqual(expect.arrayContaining([...ports]));
    }
  });

  it('every pod is behind a policy that denies what no other one allows', () => {
    const denied = manifests.filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'default-deny',
    );
    expect(new Set(denied.map(({ metadata }) => metadata.namespace))).toEqual(
      new Set(workloads.map(({ metadata }) => metadata.namespace)),
    );
    for (const policy of denied) {
      const { spec } = policy as Selecting;
      expect(spec).toEqual({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    }
  });

  it('pods may talk to those that the flow needs, and to no others', () => {
    const toDatabase = workloads.some(({ metadata }) => metadata.name === 'postgres');
    expect([...allowedConnections(manifests)].sort()).toEqual([
      'billing -> issuer',
      'billing -> orders',
      ...(toDatabase ? ['issuer -> postgres'] : []),
      'orders -> issuer',
    ]);
  });

  it('one pod of each may always be taken away, and no number of pods is set in two places', () => {
    const scaled = new Map(
      manifests
        .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
        .map((scaler) => [scaler.metadata.name, (scaler as Scaler).spec.minReplicas]),
    );
    const budgets = manifests.filter(({ kind }) => kind === 'PodDisruptionBudget');
    const services = workloads.filter(({ kind }) => kind === 'Deployment');
    expect(budgets.map(({ metadata }) => metadata.name).sort()).toEqual(
      services.map(({ metadata }) => metadata.name).sort(),
    );
    for (const budget of budgets) {
      const { name } = budget.metadata;
      const { replicas } = findWorkload(manifests, name).spec;
      const least = scaled.get(name);
      expect([name, replicas === undefined]).toEqual([name, least !== undefined]);
      expect(least ?? replicas).toBeGreaterThan((budget as Budget).spec.minAvailable);
    }
  });

  it('all speak of one issuer, one audience and one account', () => {
    const [issuer, orders, billing] = ['issuer', 'orders', 'billing'].map((name) =>
      findWorkload(manifests, name),
    );
    if (issuer === undefined || orders === undefined || billing === undefined)
      throw new Error('one is missing');
    const identifier = argument(containerOf(issuer), '--issuer');
    const audience = variable(containerOf(orders), 'SERVICE_AUTH_AUDIENCE');
    const caller = containerOf(billing);
    for (const one of [containerOf(orders), caller])
      expect(variable(one, 'SERVICE_AUTH_ISSUER')).toBe(identifier);
    expect(variable(caller, 'SERVICE_AUTH_RESOURCE')).toBe(audience);
    const { path, audience: tokenAudience, expirationSeconds } = projectionOf(billing);
    expect(tokenAudience).toBe(identifier);
    // The least that Kubernetes takes.
    expect(expirationSeconds).toBeGreaterThanOrEqual(600);
    const tokens = caller.volumeMounts.find(({ name }) => name === 'tokens');
    expect(variable(caller, 'SERVICE_ACCOUNT_TOKEN_FILE')).toBe(`${tokens?.mountPath}/${path}`);

    const seed: Seed = JSON.parse(
      manifests.find(({ kind }) => kind === 'ConfigMap')?.data?.['seed.json'] ?? '',
    );
    expect(seed.resources.map(({ resource }) => resource)).toEqual([audience]);
    const { namespace } = billing.metadata;
    expect(seed.services).toEqual([
      expect.objectContaining({
        clientId: variable(caller, 'SERVICE_AUTH_CLIENT_ID'),
        resources: [audience],
        federatedIdentities: [
          expect.objectContaining({
            subject: `system:serviceaccount:${namespace}:${podOf(billing).serviceAccountName}`,
            audience: identifier,
          }),
        ],
      }),
    ]);
    for (const workload of [issuer, orders]) {
      const { name, namespace: owner } = workload.metadata;
      expect([identifier, audience]).toContain(`https://${name}.${owner}.svc`);
    }
  });
});

interface Scaler extends Manifest {
  readonly spec: { readonly minReplicas: number };
}

interface Budget extends Manifest {
  readonly spec: { readonly minAvailable: number };
}

interface Seed {
  readonly resources: readonly { readonly resource: string }[];
  readonly services: readonly object[];
}

interface Selector {
  readonly owner: Manifest;
  readonly labels: Labels;
  /** By name or number, that the pods must have. */
  readonly ports: readonly (string | number)[];
}

interface Selecting extends Manifest {
  readonly spec: {
    readonly selector?: Labels & { readonly matchLabels?: Labels };
    readonly podSelector?: { readonly matchLabels?: Labels };
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly ingress?: readonly { readonly ports: readonly { readonly port: number }[] }[];
  };
}

function isSelecting(manifest: Manifest): manifest is Selecting {
  return ['Service', 'PodDisruptionBudget', 'NetworkPolicy'].includes(manifest.kind);
}

function selectorsOf(owner: Manifest): Selector[] {
  if (!isSelecting(owner)) return [];
  const { selector, podSelector, ports = [], ingress = [] } = owner.spec;
  const labels = podSelector?.matchLabels ?? selector?.matchLabels ?? (podSelector ? {} : selector) ?? {};
  const wanted = [
    ...ports.map(({ targetPort }) => targetPort),
    ...ingress.flatMap((rule) => rule.ports.map(({ port }) => port)),
  ];
  return [{ owner, labels, ports: wanted }];
}

describe('the images', () => {
  const folder = join(exampleDirectory, 'images');
  const root = join(exampleDirectory, '../..');

  it.each(readdirSync(folder))('%s copies what is there, and runs as nobody', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const copied = [...text.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );
    expect(copied.length).toBeGreaterThan(3);
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const last = text.slice(text.lastIndexOf('FROM '));
    expect(last).toMatch(/^FROM gcr\.io\/distroless\/\S+:nonroot$/m);
    expect(last).toMatch(/^USER 65532:65532$/m);
    expect(text).not.toMatch(/^(ARG|ENV) .*(SECRET|TOKEN|PASSWORD)/m);
  });

  it('there is one for each container of ours', () => {
    const images = buildOverlay('trial')
      .manifests.filter(isWorkload)
      .map((workload) => containerOf(workload).image)
      .filter((image) => image.startsWith('service-auth-'));
    expect(images.map((image) => image.replace(/^service-auth-(.+):trial$/, '$1.Dockerfile')).sort()).toEqual(
      readdirSync(folder).sort(),
    );
  });

  it('that of the issuer has the packages that are tested', () => {
    const { devDependencies }: { devDependencies: Labels } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    const text = readFileSync(join(folder, 'issuer.Dockerfile'), 'utf8');
    expect(text).toContain(` pg@${devDependencies.pg} kysely@${devDependencies.kysely}\n`);
  });
});
