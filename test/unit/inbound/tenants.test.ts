import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandTenants } from '../../../src/inbound/tenants.ts';
import { OptionChecker } from '../../../src/shared/options.ts';

interface Template {
  readonly issuer: string;
  readonly tenants?: readonly string[];
  readonly jwksUri?: string;
  readonly discovery?: string;
  readonly secret?: string;
  readonly introspection?: { readonly endpoint?: string; readonly clientId?: string } | true;
  readonly algorithms?: readonly string[];
}

const issuer = 'https://login.example/{tenant}/v2.0';
const expand = (template: Template) => expandTenants(new OptionChecker('createVerifier'), template);

describe('expandTenants', () => {
  it('leaves an issuer without tenants as it is', () => {
    const one = { issuer: 'https://login.example', jwksUri: 'https://login.example/keys' };
    expect(expand(one)).toStrictEqual([one]);
  });

  it('makes one issuer for each tenant, with all that the template says', () => {
    const jwksUri = 'https://login.example/{tenant}/keys';
    const template = Object.freeze({ issuer, tenants: ['a', 'b.c'], jwksUri, algorithms: ['RS256'] });
    expect(expand(template)).toEqual([
      {
        issuer: 'https://login.example/a/v2.0',
        jwksUri: 'https://login.example/a/keys',
        algorithms: ['RS256'],
      },
      {
        issuer: 'https://login.example/b.c/v2.0',
        jwksUri: 'https://login.example/b.c/keys',
        algorithms: ['RS256'],
      },
    ]);
  });

  it('fills every place, and leaves a key set that all share', () => {
    const found = expand({
      issuer: 'https://{tenant}.login.example/{tenant}',
      tenants: ['a'],
      jwksUri: 'https://login.example/keys',
    });
    expect(found).toStrictEqual([
      { issuer: 'https://a.login.example/a', jwksUri: 'https://login.example/keys' },
    ]);
    const plain = expand({ issuer, tenants: ['a'] });
    expect(plain).toStrictEqual([{ issuer: 'https://login.example/a/v2.0' }]);
  });

  it('fills discovery and the introspection endpoint too, and changes nothing that was given', () => {
    const template = Object.freeze({
      issuer,
      tenants: ['a'],
      discovery: 'https://login.example/{tenant}/.well-known/openid-configuration',
      introspection: Object.freeze({ endpoint: 'https://login.example/{tenant}/introspect', clientId: 'b' }),
    });
    expect(expand(template)).toEqual([
      {
        issuer: 'https://login.example/a/v2.0',
        discovery: 'https://login.example/a/.well-known/openid-configuration',
        introspection: { endpoint: 'https://login.example/a/introspect', clientId: 'b' },
      },
    ]);
    expect(expand({ issuer, tenants: ['a'], introspection: true })).toMatchObject([{ introspection: true }]);
  });

  it.each<[string, Template, string]>([
    [
      'a secret that all tenants would share',
      { issuer, tenants: ['a', 'b'], secret: 'a secret of thirty-two bytes or more' },
      'secret must be',
    ],
    ['a place of another name', { issuer: 'https://login.example/{tenantid}/v2.0' }, 'issuer must be'],
    ['a place in other letters', { issuer: 'https://login.example/{Tenant}' }, 'issuer must be'],
    [
      'a place of another name beside a right one',
      { issuer: 'https://{region}.login.example/{tenant}', tenants: ['a'] },
      'issuer must be',
    ],
    [
      'a place of another name in the key set',
      { issuer, tenants: ['a'], jwksUri: 'https://login.example/{tenantid}/keys' },
      'jwksUri must be',
    ],
    [
      'a place in discovery without tenants',
      { issuer: 'https://login.example', discovery: 'https://login.example/{tenant}/metadata' },
      'discovery must be',
    ],
    [
      'a place in the introspection endpoint without tenants',
      { issuer: 'https://login.example', introspection: { endpoint: 'https://login.example/{tenant}/i' } },
      'introspection.endpoint must be',
    ],
    ['a place without tenants', { issuer }, 'tenants must be given, since issuer holds {tenant}'],
    [
      'a place in the key set alone',
      { issuer: 'https://login.example', jwksUri: 'https://login.example/{tenant}/keys' },
      'jwksUri must be without {tenant}',
    ],
    [
      'tenants without a place',
      { issuer: 'https://login.example', tenants: ['a'] },
      'issuer must be a URL with {tenant}',
    ],
    ['no tenants', { issuer, tenants: [] }, 'tenants must be'],
    ['an empty tenant', { issuer, tenants: [''] }, 'tenants must be'],
    ['a tenant twice', { issuer, tenants: ['a', 'b', 'a'] }, 'tenants must be named once each'],
    ['a path', { issuer, tenants: ['a/b'] }, 'tenants must be of letters'],
    ['this folder', { issuer, tenants: ['.'] }, 'tenants must be of letters'],
    ['the folder above', { issuer, tenants: ['..'] }, 'tenants must be of letters'],
    ['a query', { issuer, tenants: ['a?b'] }, 'tenants must be of letters'],
    ['a wildcard', { issuer, tenants: ['*'] }, 'tenants must be of letters'],
    ['an escape', { issuer, tenants: ['%2e'] }, 'tenants must be of letters'],
    ['a line break', { issuer, tenants: ['a\n'] }, 'tenants must be of letters'],
    ['a letter of another script', { issuer, tenants: ['а'] }, 'tenants must be of letters'],
    ['another place', { issuer, tenants: ['{tenant}'] }, 'tenants must be of letters'],
    ['a replacement pattern', { issuer, tenants: ['$&'] }, 'tenants must be of letters'],
  ])('%s is a mistake', (_name, template, message) => {
    expect(() => expand(template)).toThrow(TypeError);
    expect(() => expand(template)).toThrow(`createVerifier: ${message}`);
  });

  it('whatever it takes stays within its place in the path', () => {
    const name = fc.string({ unit: fc.constantFrom(...'aZ09._-/\\?#%@:$&{} \u0000'), maxLength: 8 });
    fc.assert(
      fc.property(name, (tenant) => {
        let found: ReturnType<typeof expand>;
        try {
          found = expand({ issuer, tenants: [tenant] });
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        const url = new URL(found[0]?.issuer ?? '');
        expect(url.href).toBe(`https://login.example/${tenant}/v2.0`);
      }),
    );
  });
});
