import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    issuer: 'src/issuer/index.ts',
    cli: 'src/cli/main.ts',
    express: 'adapters/express.ts',
    fastify: 'adapters/fastify.ts',
    hono: 'adapters/hono.ts',
    koa: 'adapters/koa.ts',
    otel: 'adapters/otel.ts',
    nest: 'adapters/nest.ts',
    redis: 'adapters/redis.ts',
    testing: 'adapters/testing.ts',
    undici: 'adapters/undici.ts',
    web: 'adapters/web.ts',
  },
  format: 'esm',
  target: 'es2023',
  platform: 'neutral',
  external: [/^node:/],
  splitting: true,
  clean: true,
  // Built-in names such as node:crypto keep their prefix: Workers and Deno know no other spelling.
  removeNodeProtocol: false,
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
});
