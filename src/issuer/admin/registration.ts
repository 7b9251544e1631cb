/** Services as they are registered and changed. Members that are not named here are refused. */
import * as z from 'zod';
import { type AuthMethod, authMethods, type Registration } from '../storage/records.ts';
import { bare } from './bare.ts';
import { federatedIdentities, keySet, tlsClientName, tlsClientNamePatch } from './credentials.ts';
import { clientId, line, resourceUris, scopes, secureUrl } from './texts.ts';

const DAY_SECONDS = 86_400;

/** Whom the audit log names without their being services. */
const otherActors = ['admin', 'seed'];
const newClientId = clientId.refine(
  (text) => !otherActors.includes(text),
  `must not be ${otherActors.join(' or ')}: the audit log names others so`,
);

const required = { name: line.max(200), scopes };

const optional = {
  description: line.max(1000),
  resources: resourceUris,
  serves: resourceUris,
  authMethods: z.array(z.enum(authMethods)).max(authMethods.length),
  tokenFormat: z.enum(['jwt', 'opaque']),
  accessTokenSeconds: z.int().min(1).max(DAY_SECONDS),
  dpopBound: z.boolean(),
  certificateBound: z.boolean(),
  jwks: keySet,
  jwksUri: secureUrl,
};

const members = z.strictObject({
  clientId: newClientId.optional(),
  ...required,
  ...z.object({ ...optional, tlsClientAuth: tlsClientName, federatedIdentities }).partial().shape,
});

type Input = z.output<typeof members>;

/** A service to be registered; what is not given is filled in. */
export const newService = members.transform(bare).superRefine(checkTogether).transform(complete);

export interface RegistrationInput extends Registration {
  readonly clientId: string | undefined;
}

/** A JSON merge patch of a registration (RFC 7396); its outcome is judged as a whole. */
export const servicePatch = z.strictObject({
  name: required.name.optional(),
  scopes: required.scopes.optional(),
  description: optional.description.nullish(),
  resources: optional.resources.nullish(),
  serves: optional.serves.nullish(),
  authMethods: optional.authMethods.nullish(),
  tokenFormat: optional.tokenFormat.nullish(),
  accessTokenSeconds: optional.accessTokenSeconds.nullish(),
  dpopBound: optional.dpopBound.nullish(),
  certificateBound: optional.certificateBound.nullish(),
  jwks: optional.jwks.nullish(),
  jwksUri: optional.jwksUri.nullish(),
  tlsClientAuth: tlsClientNamePatch.nullish(),
  federatedIdentities: federatedIdentities.nullish(),
});

/** The registration of a service in the form of the input, for a patch to be merged into. */
export function toInput(service: Registration): Registration {
  const { name, description, scopes, resources, serves, authMethods, tokenFormat } = service;
  const { accessTokenSeconds, dpopBound, certificateBound } = service;
  const { jwks, jwksUri, tlsClientAuth, federatedIdentities } = service;
  return {
    name,
    description,
    scopes,
    resources,
    serves,
    authMethods,
    tokenFormat,
    accessTokenSeconds,
    dpopBound,
    certificateBound,
    jwks,
    jwksUri,
    tlsClientAuth,
    federatedIdentities,
  };
}

/** A credential that is registered and cannot be used, or a method without its credential, is a mistake. */
function checkTogether(input: Input, context: z.RefinementCtx): void {
  const { jwks, jwksUri, tlsClientAuth, federatedIdentities = [] } = input;
  const methods = methodsOf(input);
  const refuse = (member: keyof Input, message: string): void =>
    context.addIssue({ code: 'custom', path: [member], message });
  const hasKeys = jwks !== undefined || jwksUri !== undefined;
  if (jwks !== undefined && jwksUri !== undefined) {
    refuse('jwksUri', 'must not be given together with jwks');
  }
  if (methods.includes('private_key_jwt') && !hasKeys) {
    refuse('authMethods', 'has private_key_jwt, which needs jwks or jwksUri');
  }
  if (hasKeys && !methods.includes('private_key_jwt')) {
    refuse(
      jwks === undefined ? 'jwksUri' : 'jwks',
      'is for private_key_jwt, which authMethods does not have',
    );
  }
  if (methods.includes('tls_client_auth') && tlsClientAuth === undefined) {
    refuse('authMethods', 'has tls_client_auth, which needs tlsClientAuth');
  }
  if (tlsClientAuth !== undefined && !methods.includes('tls_client_auth')) {
    refuse('tlsClientAuth', 'is for tls_client_auth, which authMethods does not have');
  }
  if (methods.length === 0 && federatedIdentities.length === 0) {
    refuse('authMethods', 'must not be empty without federatedIdentities');
  }
}

function methodsOf(input: Input): readonly AuthMethod[] {
  if (input.authMethods !== undefined) return [...new Set(input.authMethods)];
  const { jwks, jwksUri, tlsClientAuth, federatedIdentities = [] } = input;
  const methods: AuthMethod[] = [];
  if (jwks !== undefined || jwksUri !== undefined) methods.push('private_key_jwt');
  if (tlsClientAuth !== undefined) methods.push('tls_client_auth');
  if (methods.length > 0 || federatedIdentities.length > 0) return methods;
  return ['client_secret_basic', 'client_secret_post'];
}

function complete(input: Input): RegistrationInput {
  return {
    clientId: input.clientId,
    name: input.name,
    description: input.description,
    scopes: input.scopes,
    resources: input.resources ?? [],
    serves: input.serves ?? [],
    authMethods: methodsOf(input),
    tokenFormat: input.tokenFormat ?? 'jwt',
    accessTokenSeconds: input.accessTokenSeconds,
    dpopBound: input.dpopBound ?? false,
    certificateBound: input.certificateBound ?? false,
    jwks: input.jwks,
    jwksUri: input.jwksUri,
    tlsClientAuth: input.tlsClientAuth,
    federatedIdentities: input.federatedIdentities ?? [],
  };
}
