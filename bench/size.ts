/** What an import costs a process at its start, and what a bundle for the edge weighs. */
import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Effort, inTurns, median, type Row, spreadOf } from './harness.ts';
import { root } from './results.ts';

const packages = [
  ['floor: empty module', 'data:text/javascript,'],
  ['service-auth', 'service-auth'],
  ['service-auth/express', 'service-auth/express'],
  ['jose', 'jose'],
  ['fast-jwt', 'fast-jwt'],
  ['aws-jwt-verify', 'aws-jwt-verify'],
  ['jsonwebtoken', 'jsonwebtoken'],
  ['express-oauth2-jwt-bearer', 'express-oauth2-jwt-bearer'],
  ['oauth4webapi', 'oauth4webapi'],
  ['openid-client', 'openid-client'],
] as const;

/** Each in a new process, which times the import alone. */
export async function imports(effort: Effort): Promise<readonly Row[]> {
  const times = new Map<string, number[]>(packages.map(([name]) => [name, []]));
  await inTurns(packages, effort === 'quick' ? 2 : 15, async ([name, specifier], isWarm) => {
    const elapsed = timeImport(specifier);
    if (isWarm) times.get(name)?.push(elapsed);
  });
  const floor = median(times.get(packages[0][0]) ?? []);
  return packages.map(([name]) => {
    const own = times.get(name) ?? [];
    const ms = median(own);
    return { name, figures: { ms, ...spreadOf(own), 'ms over the empty module': ms - floor } };
  });
}

function timeImport(specifier: string): number {
  const script = `const from = performance.now(); await import('${specifier}'); console.log(performance.now() - from);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: root,
    // None of the loaders of this process.
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (status !== 0) throw new Error(`${specifier} could not be imported`);
  return Number(stdout);
}

const entries = [
  ['service-auth, inbound: createVerifier', "export { createVerifier } from 'service-auth'"],
  ['service-auth, outbound: createAuthedFetch', "export { createAuthedFetch } from 'service-auth'"],
  ['service-auth/hono', "export { requireServiceAuth } from 'service-auth/hono'"],
  ['jose: jwtVerify, createRemoteJWKSet', "export { jwtVerify, createRemoteJWKSet } from 'jose'"],
  ['hono: middleware jwk', "export { jwk } from 'hono/jwk'"],
  ['aws-jwt-verify: JwtVerifier', "export { JwtVerifier } from 'aws-jwt-verify'"],
  ['oauth4webapi: validateJwtAccessToken', "export { validateJwtAccessToken } from 'oauth4webapi'"],
] as const;

/** Bundled as for Cloudflare Workers. */
export async function bundles(): Promise<readonly Row[]> {
  const rows = entries.map(async ([name, contents]): Promise<Row> => {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: root },
      // The package as it is published: the paths of our tsconfig lead to the source.
      tsconfigRaw: '{}',
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      platform: 'browser',
      conditions: ['workerd', 'worker'],
      external: ['node:*'],
      logLevel: 'error',
    });
    const [file] = outputFiles;
    if (file === undefined) throw new Error(`${name} was not bundled`);
    return {
      name,
      figures: {
        'kB minified': file.contents.length / 1000,
        'kB gzipped': gzipSync(file.contents, { level: 9 }).length / 1000,
      },
    };
  });
  return Promise.all(rows);
}
