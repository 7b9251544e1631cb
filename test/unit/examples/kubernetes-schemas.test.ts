/** The manifests of the example against the API of Kubernetes: every member is one that it knows. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { describe, expect, it } from 'vitest';
import { buildOverlay, exampleDirectory, type Manifest } from '../../helpers/kubernetes-manifests.ts';
import { findWorkload } from '../../helpers/kubernetes-workloads.ts';

interface ApiSchemas {
  readonly kinds: Readonly<Record<string, object>>;
  readonly definitions: object;
}

const schemasFile = new URL('../../vectors/kubernetes/api-1.30.json', import.meta.url);
const { kinds, definitions }: ApiSchemas = JSON.parse(readFileSync(schemasFile, 'utf8'));
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });
const validators = new Map<string, ValidateFunction>(
  Object.entries(kinds).map(([kind, schema]) => [kind, ajv.compile({ ...schema, definitions })]),
);

/** What the API server would say of it; nothing where it is good. */
function faultsOf(manifest: Manifest): readonly string[] {
  const kind = `${manifest.apiVersion} ${manifest.kind}`;
  const validate = validators.get(kind);
  if (validate === undefined) return [`${kind} is not known`];
  validate(manifest);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath} ${message} ${JSON.stringify(params)}`.trim(),
  );
}

const overlays = readdirSync(join(exampleDirectory, 'overlays'));

describe.each(overlays)('the overlay %s', (overlay) => {
  const { manifests } = buildOverlay(overlay);

  it.each(manifests.map((manifest) => ({ ...manifest, name: manifest.metadata.name })))(
    '$kind $name is valid',
    ({ name: _, ...manifest }) => {
      expect(faultsOf(manifest)).toEqual([]);
    },
  );

  it('has every name once', () => {
    const names = manifests.map(
      ({ kind, metadata: { name, namespace = '' } }) => `${kind} ${namespace}/${name}`,
    );
    expect(new Set(names).size).toBe(names.length);
  });
});

it('every file of the manifests is built into an overlay', () => {
  const built = new Set(overlays.flatMap((overlay) => [...buildOverlay(overlay).files]));
  const there = ['base', 'overlays'].flatMap((folder) =>
    readdirSync(join(exampleDirectory, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  expect(there.filter((path) => !built.has(path))).toEqual([]);
  expect(there.length).toBeGreaterThan(10);
});

describe('the schemas', () => {
  const deployment = findWorkload(buildOverlay('trial').manifests, 'issuer');

  it.each<[string, Manifest, RegExp]>([
    [
      'a kind that is not known',
      { ...deployment, apiVersion: 'apps/v2' },
      /apps\/v2 Deployment is not known/,
    ],
    ['a misspelt member', change({ replica: 2 }), /"additionalProperty":"replica"/],
    ['a number as text', change({ minReadySeconds: '5' }), /minReadySeconds must be integer/],
    ['a missing member', change({ selector: undefined }), /"missingProperty":"selector"/],
  ])('refuse %s', (_, manifest, fault) => {
    expect(faultsOf(manifest).join('\n')).toMatch(fault);
  });

  function change(spec: object): Manifest {
    return JSON.parse(JSON.stringify({ ...deployment, spec: { ...deployment.spec, ...spec } }));
  }
});
