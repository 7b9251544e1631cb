/** Which pods the network policies among the manifests let talk to which. */
import type { Manifest } from './kubernetes-manifests.ts';
import { containerOf, isWorkload, type Workload } from './kubernetes-workloads.ts';

type Labels = Readonly<Record<string, string>>;

interface Selector {
  readonly matchLabels?: Labels;
}

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly { readonly port: number }[];
}

interface NetworkPolicy extends Manifest {
  readonly spec: {
    readonly podSelector: Selector;
    readonly policyTypes: readonly Direction[];
    readonly ingress?: readonly Rule[];
    readonly egress?: readonly Rule[];
  };
}

type Direction = 'Ingress' | 'Egress';

/** All connections between the pods that policies of both ends allow, as `caller -> callee`, by their names. */
export function allowedConnections(manifests: readonly Manifest[]): readonly string[] {
  const workloads = manifests.filter(isWorkload);
  return workloads.flatMap((from) =>
    workloads
      .filter((to) => isAllowed(manifests, 'Egress', from, to) && isAllowed(manifests, 'Ingress', from, to))
      .map((to) => `${from.metadata.name} -> ${to.metadata.name}`),
  );
}

/** What no policy of a direction selects may do everything in it; what any selects, what one of these allows. */
function isAllowed(
  manifests: readonly Manifest[],
  direction: Direction,
  from: Workload,
  to: Workload,
): boolean {
  const [own, other] = direction === 'Egress' ? [from, to] : [to, from];
  const ports = containerOf(to).ports.map(({ containerPort }) => containerPort);
  const selecting = manifests
    .filter(isNetworkPolicy)
    .filter(
      ({ metadata, spec }) =>
        spec.policyTypes.includes(direction) &&
        metadata.namespace === own.metadata.namespace &&
        matches(spec.podSelector, labelsOf(own)),
    );
  if (selecting.length === 0) return true;
  return selecting.some(({ metadata, spec }) =>
    (direction === 'Egress' ? spec.egress : spec.ingress)?.some((rule) => {
      const peers = direction === 'Egress' ? rule.to : rule.from;
      const isPort = rule.ports === undefined || rule.ports.some(({ port }) => ports.includes(port));
      const isPeer = ({ podSelector, namespaceSelector }: Peer): boolean =>
        (namespaceSelector === undefined
          ? other.metadata.namespace === metadata.namespace
          : matches(namespaceSelector, labelsOfNamespace(manifests, other.metadata.namespace))) &&
        (podSelector === undefined || matches(podSelector, labelsOf(other)));
      return isPort && (peers === undefined || peers.some(isPeer));
    }),
  );
}

function isNetworkPolicy(manifest: Manifest): manifest is NetworkPolicy {
  return manifest.kind === 'NetworkPolicy';
}

function matches({ matchLabels = {} }: Selector, labels: Labels): boolean {
  return Object.entries(matchLabels).every(([key, value]) => labels[key] === value);
}

function labelsOf({ spec }: Workload): Labels {
  return spec.template.metadata.labels;
}

/** Kubernetes itself gives every namespace a label with its name. */
function labelsOfNamespace(manifests: readonly Manifest[], name = ''): Labels {
  const found = manifests.find(({ kind, metadata }) => kind === 'Namespace' && metadata.name === name);
  return { ...found?.metadata.labels, 'kubernetes.io/metadata.name': name };
}
