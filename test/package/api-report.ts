/**
 * Writes the public surface of every entry point to test/package/api, as the declarations of the build have it.
 * With `--check` it writes nothing, and fails where the surface is no longer what is committed.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('../..', import.meta.url));
const reports = join(root, 'test/package/api');
const isCheck = process.argv.includes('--check');
const silent = { default: { logLevel: ExtractorLogLevel.None } };

const compilerOptions = {
  module: 'nodenext',
  moduleResolution: 'nodenext',
  target: 'es2023',
  strict: true,
  skipLibCheck: true,
  types: ['node'],
};

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
}

const { exports }: Manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const declarations = Object.values(exports).flatMap((entry) =>
  typeof entry === 'string' ? [] : [entry.types],
);
const scratch = await mkdtemp(join(tmpdir(), 'service-auth-api-'));
const changed: string[] = [];
const expected = new Set<string>();

for (const types of declarations) {
  const name = types.slice(types.lastIndexOf('/') + 1).replace('.d.ts', '');
  expected.add(`${name}.api.md`);
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, types),
      apiReport: { enabled: true, reportFileName: name, reportFolder: reports, reportTempFolder: scratch },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      compiler: { overrideTsconfig: { compilerOptions, include: ['dist/*.d.ts'] } },
      messages: {
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent,
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  });
  const { apiReportChanged, succeeded } = Extractor.invoke(config, {
    localBuild: !isCheck,
    messageCallback: (message) => {
      // Its own words name the folder of this machine; which reports differ is told below.
      message.handled = message.logLevel !== ExtractorLogLevel.Error;
    },
  });
  if (apiReportChanged || !succeeded) changed.push(name);
}

const strays = (await readdir(reports)).filter((file) => !expected.has(file));
if (!isCheck) await Promise.all(strays.map((file) => rm(join(reports, file))));
await rm(scratch, { recursive: true });

if (isCheck && changed.length + strays.length > 0) {
  process.stderr.write(
    `The public surface differs from test/package/api: ${[...changed, ...strays].join(', ')}.\n` +
      'If that is meant, run `npm run api`, commit what it writes and add a changeset.\n',
  );
  process.exitCode = 1;
} else {
  const state = isCheck ? 'as committed' : `${changed.length} changed`;
  process.stdout.write(`${declarations.length} entry points: ${state}\n`);
}
