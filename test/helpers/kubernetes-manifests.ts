/** The manifests of the example, as `kustomize build` makes them; of its abilities those that they use. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';

export const exampleDirectory = fileURLToPath(new URL('../../examples/kubernetes', import.meta.url));

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  /** Of a ConfigMap. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface Overlay {
  readonly manifests: readonly Manifest[];
  /** All that was read for it. */
  readonly files: ReadonlySet<string>;
}

interface Generator {
  readonly name: string;
  readonly namespace: string;
  readonly behavior?: 'replace';
  readonly files: readonly string[];
}

interface Image {
  readonly name: string;
  readonly newName?: string;
  readonly newTag: string;
}

interface Operation {
  readonly op: 'add' | 'replace' | 'remove';
  readonly path: string;
  readonly value?: unknown;
}

interface Patch {
  readonly target: { readonly kind: string; readonly name: string };
  readonly patch: string;
}

interface Kustomization {
  readonly resources?: readonly string[];
  readonly configMapGenerator?: readonly Generator[];
  readonly images?: readonly Image[];
  readonly patches?: readonly Patch[];
}

const known = ['apiVersion', 'kind', 'resources', 'configMapGenerator', 'images', 'patches'];
/** The one that Kubernetes reads: `0440` is octal in it. */
const yaml = { version: '1.1', strict: true, uniqueKeys: true } as const;

/** @throws Error where a name leads nowhere, or something is used that this does not know */
export function buildOverlay(name: string): Overlay {
  const files = new Set<string>();
  return { manifests: build(join(exampleDirectory, 'overlays', name), files), files };
}

function build(directory: string, files: Set<string>): Manifest[] {
  const {
    resources = [],
    configMapGenerator = [],
    images = [],
    patches = [],
  } = readKustomization(join(directory, 'kustomization.yaml'), files);
  let manifests = resources.flatMap((resource) => {
    const path = join(directory, resource);
    return resource.endsWith('.yaml') ? readManifests(path, files) : build(path, files);
  });
  for (const generator of configMapGenerator) manifests = generate(manifests, generator, directory, files);
  for (const patch of patches) applyPatch(manifests, patch);
  return images.reduce(replaceImage, manifests);
}

function readKustomization(path: string, files: Set<string>): Kustomization {
  files.add(path);
  const content: object = parse(readFileSync(path, 'utf8'), yaml);
  const unknown = Object.keys(content).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw new Error(`${path} uses ${unknown.join(', ')}, which is not known here`);
  return content;
}

/** @throws Error where a file is no YAML, or says something twice */
function readManifests(path: string, files: Set<string>): Manifest[] {
  files.add(path);
  return parseAllDocuments(readFileSync(path, 'utf8'), yaml).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw new Error(`${path}: ${problem.message}`);
    return document.toJS();
  });
}

function generate(manifests: Manifest[], generator: Generator, directory: string, files: Set<string>) {
  const { name, namespace, behavior } = generator;
  const data: Record<string, string> = {};
  for (const file of generator.files) {
    const path = join(directory, file);
    files.add(path);
    data[basename(file)] = readFileSync(path, 'utf8');
  }
  const isSame = (manifest: Manifest): boolean =>
    manifest.kind === 'ConfigMap' &&
    manifest.metadata.name === name &&
    manifest.metadata.namespace === namespace;
  if (manifests.some(isSame) !== (behavior === 'replace')) {
    throw new Error(`the ConfigMap ${name} is ${behavior === 'replace' ? 'not there' : 'there already'}`);
  }
  const made = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
  return [...manifests.filter((manifest) => !isSame(manifest)), made];
}

/** RFC 6902, as far as it changes members. */
function applyPatch(manifests: readonly Manifest[], { target, patch }: Patch): void {
  const found = manifests.filter(
    ({ kind, metadata }) => kind === target.kind && metadata.name === target.name,
  );
  if (found.length === 0) throw new Error(`a patch is for ${target.kind} ${target.name}, which is not there`);
  const operations: Operation[] = parse(patch, yaml);
  for (const manifest of found) for (const operation of operations) apply(manifest, operation);
}

function apply(manifest: object, { op, path, value }: Operation): void {
  const keys = path.split('/').slice(1);
  const last = keys.pop() ?? '';
  let place = manifest;
  for (const key of keys) {
    const next: unknown = Reflect.get(place, key);
    if (typeof next !== 'object' || next === null) throw new Error(`there is no ${path}`);
    place = next;
  }
  if (op !== 'add' && !Reflect.has(place, last)) throw new Error(`there is no ${path}`);
  if (op === 'remove') Reflect.deleteProperty(place, last);
  else Reflect.set(place, last, value);
}

/** kustomize does it for containers of any kind. */
function replaceImage(manifests: Manifest[], { name, newName = name, newTag }: Image): Manifest[] {
  let isUsed = false;
  const replaced: Manifest[] = JSON.parse(JSON.stringify(manifests), (key, value) => {
    if (key !== 'image' || value !== name) return value;
    isUsed = true;
    return `${newName}:${newTag}`;
  });
  if (!isUsed) throw new Error(`no container has the image ${name}`);
  return replaced;
}
