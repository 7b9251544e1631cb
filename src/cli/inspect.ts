import type { IntrospectionOptions, Policy, TrustedIssuer } from '../index.ts';
import { claimsFlagHelp, claimsOption } from './claims-flag.ts';
import { asUsage, defineCommand, type FlagValues, wholeNumber } from './command.ts';
import { UsageError } from './errors.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';
import { showFindings } from './finding.ts';
import { type DecodedToken, decodeToken, tokenOf } from './inspect/decoded-token.ts';
import { findingsOf } from './inspect/findings.ts';
import { type Expectations, judge } from './inspect/judgement.ts';
import { introspectionClient } from './introspection-client.ts';
import { harmless, type Output } from './output.ts';
import { rememberingFetch } from './remembering-fetch.ts';
import { readJsonFile, readStdin, readTextFile, variable } from './secret-input.ts';

const usage = `Usage: service-auth inspect [options] <token | ->

Decodes an access token, verifies it against its issuer, and says what each check found and what to do. With -
the token is read from standard input, which keeps it out of the list of processes. It is not printed again.

  --issuer <url>            whose token it is to be (default SERVICE_AUTH_ISSUER)
  --audience <uri>          for whom it is to be; may be repeated (default SERVICE_AUTH_AUDIENCE, else not checked)
${claimsFlagHelp}
  --typ <typ>               the typ that it is to have, such as at+jwt (default any)
  --clock-tolerance-seconds <number>
                            (default 5)
  --introspect              ask the issuer, too (RFC 7662); opaque tokens cannot be judged without
  --certificate <file>      the TLS client certificate of whoever presents it, in PEM

What a route may ask, besides:
  --scope <scope>           it must have this scope; may be repeated
  --client <id>             it must be one of these clients; may be repeated
  --sender-constrained      it must be bound to a key or certificate
  --service-only            it must not act for a user
  --policy <file>           a policy in JSON: scope, clients, audience, senderConstrained, actors, serviceOnly

  --json                    print one JSON document
  -h, --help                show this

Environment:
  SERVICE_AUTH_INTROSPECTION_CLIENT_ID and SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET
                            who introspects (default SERVICE_AUTH_CLIENT_ID with its secret)

Examples:
  service-auth token | service-auth inspect --audience https://orders.example --scope orders:read -
  pbpaste | service-auth inspect --introspect -

${exitCodeHelp}`;

const flags = {
  issuer: { type: 'string' },
  audience: { type: 'string', multiple: true },
  claims: { type: 'string' },
  typ: { type: 'string' },
  'clock-tolerance-seconds': { type: 'string' },
  introspect: { type: 'boolean', default: false },
  certificate: { type: 'string' },
  scope: { type: 'string', multiple: true },
  client: { type: 'string', multiple: true },
  'sender-constrained': { type: 'boolean', default: false },
  'service-only': { type: 'boolean', default: false },
  policy: { type: 'string' },
} as const;

type Values = FlagValues<typeof flags>;

/** `service-auth inspect`: what a verifier finds in a token. */
export const inspectCommand = defineCommand({
  usage,
  flags,
  takes: ['the token, or -,'],
  async run(values, output, [argument = '']) {
    const token = tokenOf(argument === '-' ? await readStdin() : argument);
    if (token === '') throw new UsageError('there is no token to inspect');
    const decoded = decodeToken(token);
    const introspection = values.introspect ? introspectionClient() : undefined;
    const expectations = await readExpectations(values, decoded, introspection);
    const fetch = rememberingFetch();
    const judgement = await asUsage(() => judge(token, decoded, expectations, fetch));
    const introspected =
      introspection !== undefined && decoded.kind === 'jwt'
        ? await judge(token, decoded, onlyActive(expectations, introspection), fetch)
        : undefined;
    const inspection = { decoded, expectations, judgement, introspected, nowMs: Date.now() };
    return report(inspection, output);
  },
});

async function readExpectations(
  values: Values,
  decoded: DecodedToken,
  introspection: IntrospectionOptions | undefined,
): Promise<Expectations> {
  const issuer = values.issuer ?? variable('SERVICE_AUTH_ISSUER');
  if (issuer === undefined) throw new UsageError('give --issuer, or set SERVICE_AUTH_ISSUER');
  const { certificate, policy } = values;
  const asksForOpaque = introspection !== undefined && decoded.kind === 'opaque';
  return {
    issuer: {
      issuer,
      statusList: true,
      ...claimsOption(values.claims),
      ...(asksForOpaque && { introspection }),
    },
    audience: values.audience ?? variable('SERVICE_AUTH_AUDIENCE')?.split(/\s+/) ?? null,
    typ: values.typ ?? 'any',
    clockToleranceSeconds: wholeNumber('clock-tolerance-seconds', values['clock-tolerance-seconds']),
    certificate: certificate === undefined ? undefined : await readTextFile(certificate, 'the certificate'),
    policy: { ...(policy !== undefined && (await readPolicy(policy))), ...policyOfFlags(values) },
  };
}

function policyOfFlags(values: Values): Policy {
  const { scope, client: clients } = values;
  return {
    ...(scope !== undefined && { scope: scope.join(' ') }),
    ...(clients !== undefined && { clients }),
    ...(values['sender-constrained'] && { senderConstrained: true }),
    ...(values['service-only'] && { serviceOnly: true }),
  };
}

/** The verifier judges its members; `check` and `optional` have no meaning here. */
async function readPolicy(path: string): Promise<Policy> {
  const value = await readJsonFile(path, 'the policy');
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) throw new UsageError('the policy must be a JSON object');
  return value;
}

/** Asks for nothing but whether the token is active. */
function onlyActive(expectations: Expectations, introspection: IntrospectionOptions): Expectations {
  const { issuer: name, claims } = expectations.issuer;
  const issuer: TrustedIssuer = {
    issuer: name,
    ...(claims !== undefined && { claims }),
    introspection: { ...introspection, tokens: 'all' },
  };
  return { ...expectations, issuer, audience: null, typ: 'any', policy: {} };
}

const verdicts = { accepted: exitCodes.good, refused: exitCodes.failed, undecided: exitCodes.undecided };
type Verdict = keyof typeof verdicts;

function report(inspection: Parameters<typeof findingsOf>[0], output: Output): number {
  const { decoded, judgement } = inspection;
  const findings = findingsOf(inspection);
  const verdict = verdictOf(inspection);
  const { header, claims, kind } = decoded;
  const reasons = findings.filter(({ status }) => status === 'failure').map(({ found }) => found);
  const { alg, typ, kid } = header ?? {};
  const facts = kind === 'jwt' ? claims : (judgement.caller?.claims ?? {});
  const document = { verdict, checks: findings, header: header && { alg, typ, kid }, claims: facts };
  output.result(document, () =>
    [
      showFindings(findings, output),
      '',
      output.style.bold(judgement.caller === undefined ? 'claims, not verified' : 'claims'),
      harmless(JSON.stringify(facts, undefined, 2)),
      '',
      verdictLine(verdict, reasons, output),
    ].join('\n'),
  );
  return verdicts[verdict];
}

function verdictOf({
  decoded,
  judgement,
  introspected,
  expectations,
}: Parameters<typeof findingsOf>[0]): Verdict {
  const isInactive = introspected?.complaints.some(({ reason }) => reason === 'inactive_token') ?? false;
  // Without introspection an opaque token is a riddle, not a fault.
  const isRiddle = decoded.kind === 'opaque' && expectations.issuer.introspection === undefined;
  if (isRiddle && judgement.complaints.every(({ reason }) => reason === 'malformed_token'))
    return 'undecided';
  if (judgement.complaints.length > 0 || isInactive) return 'refused';
  const isUndecided = judgement.undecided !== undefined || introspected?.undecided !== undefined;
  return isUndecided ? 'undecided' : 'accepted';
}

function verdictLine(verdict: Verdict, reasons: readonly string[], { style }: Output): string {
  if (verdict === 'accepted') return style.green('accepted');
  if (verdict === 'undecided') return style.yellow('cannot be decided');
  return style.red(`refused: ${reasons.map((text) => text.split(':', 1)[0]).join(', ')}`);
}
