/** Pods without a cluster: processes with the arguments, the environment and the files that their manifests say. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Cluster } from './kubernetes-cluster.ts';
import type { Manifest } from './kubernetes-manifests.ts';
import { type Container, containerOf, findWorkload, type Volume } from './kubernetes-workloads.ts';

type Texts = Readonly<Record<string, string>>;

export interface World {
  readonly manifests: readonly Manifest[];
  readonly cluster: Cluster;
  /** What stands in each image: a program of Node. */
  readonly programs: Texts;
  /** Names of the cluster, and the addresses that stand for them here. */
  readonly addresses: Texts;
  /** Secrets and ConfigMaps that are not among the manifests: `name/key`. */
  readonly given: Texts;
}

export interface Pod {
  readonly port: number;
  readonly container: Container;
  readonly child: ChildProcess;
  /** Its files: where a path of the manifest is here. */
  path(path: string): string;
  /** With its exit code; `null` where it was killed. */
  readonly ended: Promise<number | null>;
  /** What it has written so far. */
  output(): string;
}

export interface Pods {
  start(workload: string): Promise<Pod>;
  remove(): Promise<void>;
}

export function createPods(world: World): Pods {
  const pods: Pod[] = [];
  const root = mkdtempSync(join(tmpdir(), 'service-auth-pods-'));

  async function start(name: string): Promise<Pod> {
    const workload = findWorkload(world.manifests, name);
    const { namespace = '' } = workload.metadata;
    const { volumes, serviceAccountName } = workload.spec.template.spec;
    const container = containerOf(workload);
    const directory = mkdtempSync(join(root, `${name}-`));
    for (const { name: volume, mountPath } of container.volumeMounts) {
      const source = volumes.find((one) => one.name === volume);
      if (source === undefined) throw new Error(`${name} mounts ${volume}, which is no volume`);
      await fill(world, source, join(directory, mountPath), {
        namespace,
        serviceAccount: serviceAccountName,
      });
    }
    const program = world.programs[container.image];
    if (program === undefined) throw new Error(`there is no program for ${container.image}`);
    const here = (text: string): string => hereOf(world, container, directory, text);
    const env: Record<string, string | undefined> = { PATH: process.env.PATH };
    for (const { name: variable, value, valueFrom } of container.env ?? []) {
      const { name: secret = '', key = '' } = valueFrom?.secretKeyRef ?? {};
      env[variable] = value === undefined ? given(world, `${secret}/${key}`) : here(value);
    }
    const args = [program, ...(container.args ?? []).map(here)];
    const child = spawn(process.execPath, args, { env, cwd: directory, stdio: 'pipe' });
    const pod = await listening(name, child, container, (path) => join(directory, path));
    pods.push(pod);
    return pod;
  }

  return {
    start,
    async remove() {
      for (const { child } of pods) child.kill('SIGKILL');
      await Promise.all(pods.map(({ ended }) => ended));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** A text of the manifest with the addresses, the paths and the port of this machine. */
function hereOf({ addresses }: World, container: Container, directory: string, text: string): string {
  if (container.ports.some(({ containerPort }) => String(containerPort) === text)) return '0';
  const isMounted = container.volumeMounts.some(({ mountPath }) => text.startsWith(`${mountPath}/`));
  return isMounted ? join(directory, text) : withAddresses(addresses, text);
}

function withAddresses(addresses: Texts, text: string): string {
  return Object.entries(addresses).reduce((said, [name, address]) => said.replaceAll(name, address), text);
}

function given({ given }: World, name: string): string {
  const value = given[name];
  if (value === undefined) throw new Error(`${name} is neither among the manifests nor given`);
  return value;
}

async function fill(
  world: World,
  { secret, configMap, projected }: Volume,
  directory: string,
  account: { namespace: string; serviceAccount: string },
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const name = secret?.secretName ?? configMap?.name;
  for (const [file, text] of Object.entries(name === undefined ? {} : contentOf(world, name))) {
    writeFileSync(join(directory, file), text);
  }
  for (const { serviceAccountToken } of projected?.sources ?? []) {
    const { path, audience, expirationSeconds } = serviceAccountToken;
    const token = { ...account, audience: withAddresses(world.addresses, audience), expirationSeconds };
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    await world.cluster.project(join(directory, path), token);
  }
}

function contentOf(world: World, name: string): Texts {
  const made = world.manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === name);
  const entries = Object.entries(made?.data ?? {}).map(([file, text]) => [
    file,
    withAddresses(world.addresses, text),
  ]);
  const others = Object.entries(world.given).flatMap(([key, text]) => {
    const [owner, file] = key.split('/');
    return owner === name && file !== undefined ? [[file, text]] : [];
  });
  if (entries.length + others.length === 0) throw new Error(`there is nothing in ${name}`);
  return Object.fromEntries([...entries, ...others]);
}

/** Waits for the line that says where it listens. */
async function listening(
  name: string,
  child: ChildProcess,
  container: Container,
  path: (path: string) => string,
): Promise<Pod> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  if (child.stdout === null) throw new Error('a pod has no output');
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<number>((resolve, reject) => {
    lines.on('line', (line) => {
      if (!line.includes('"listening"')) return;
      const { url, port: said }: { url?: string; port?: number } = JSON.parse(line);
      resolve(said ?? Number(new URL(url ?? '').port));
    });
    void ended.then((code) => reject(new Error(`${name} has ended with ${code}: ${output}`)));
  });
  return { port, container, child, path, ended, output: () => output };
}
