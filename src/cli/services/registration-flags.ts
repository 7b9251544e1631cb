/** The flags that describe a service, and the registration that they stand for. */
import type { KeySetDocument, NewService } from '../../issuer/index.ts';
import { type FlagValues, oneOf, wholeNumber } from '../command.ts';
import { UsageError } from '../errors.ts';
import { readJsonFile } from '../secret-input.ts';

export const registrationFlags = {
  name: { type: 'string' },
  description: { type: 'string' },
  scope: { type: 'string', multiple: true },
  resource: { type: 'string', multiple: true },
  serves: { type: 'string', multiple: true },
  'token-format': { type: 'string' },
  'access-token-seconds': { type: 'string' },
  'dpop-bound': { type: 'boolean' },
  jwks: { type: 'string' },
  'jwks-uri': { type: 'string' },
  from: { type: 'string' },
} as const;

export const registrationFlagsHelp = `  --name <text>             what people call it
  --description <text>
  --scope <scopes>          what its tokens may carry; may be repeated
  --resource <uri>          whom it may call: what it may ask tokens for; may be repeated
  --serves <uri>            the resource that it is itself: it may introspect and exchange its tokens; may be repeated
  --token-format <format>   jwt or opaque (default jwt)
  --access-token-seconds <number>
                            life of its tokens (default as the issuer says)
  --dpop-bound              its tokens must be bound to a DPoP key
  --jwks <file>             its public keys, as a JSON Web Key Set: it then has no secret (private_key_jwt)
  --jwks-uri <url>          where they are published
  --from <file>             a registration in JSON, as the admin API takes it; flags override it`;

/** The members that were given; the admin API judges them. */
export async function readRegistration(
  values: FlagValues<typeof registrationFlags>,
): Promise<Partial<NewService>> {
  const { name, description, scope, resource: resources, serves, jwks, from } = values;
  const scopes = scope?.flatMap((text) => text.split(/[\s,]+/).filter((word) => word !== ''));
  const tokenFormat = oneOf('token-format', values['token-format'], ['jwt', 'opaque']);
  const accessTokenSeconds = wholeNumber('access-token-seconds', values['access-token-seconds']);
  const dpopBound = values['dpop-bound'];
  const jwksUri = values['jwks-uri'];
  return {
    ...(from !== undefined && (await readFileOf(from, 'the registration', isObject<Partial<NewService>>))),
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(scopes !== undefined && { scopes }),
    ...(resources !== undefined && { resources }),
    ...(serves !== undefined && { serves }),
    ...(tokenFormat !== undefined && { tokenFormat }),
    ...(accessTokenSeconds !== undefined && { accessTokenSeconds }),
    ...(dpopBound !== undefined && { dpopBound }),
    ...(jwks !== undefined && { jwks: await readFileOf(jwks, 'the key set', isObject<KeySetDocument>) }),
    ...(jwksUri !== undefined && { jwksUri }),
  };
}

/** Only that it is an object; its members are judged where it is sent to. */
function isObject<T extends object>(value: unknown): value is T {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function readFileOf<T>(path: string, what: string, is: (value: unknown) => value is T): Promise<T> {
  const value = await readJsonFile(path, what);
  if (is(value)) return value;
  throw new UsageError(`${what} must be a JSON object: ${path}`);
}
