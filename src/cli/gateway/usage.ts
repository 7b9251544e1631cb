import { exitCodeHelp } from '../exit-codes.ts';

export const gatewayUsage = `Usage: service-auth gateway --config <file> [options]

Answers proxies which requests may pass, by one policy file: nginx (auth_request) and Traefik (ForwardAuth) at /auth,
Envoy (ext_authz over HTTP) below /envoy. Services behind the proxy get the caller in headers and need no code.

  --config <file>        the policy, in JSON: routes, what each asks, and which proxies are believed; read again when it
                         changes and on SIGHUP, a bad one changes nothing
  --check                say what is wrong with the policy, or how many routes it has, and end
  --issuer <url>         whose tokens are accepted, where the policy names no issuer (default SERVICE_AUTH_ISSUER)
  --replay-store <file>  module that exports replayStore, which remembers used DPoP proofs for several gateways
                         (default: each remembers its own)
  --port <number>        port to listen on; 0 picks a free one (default 4010)
  --host <address>       address to listen on (default 127.0.0.1)
  --drain-seconds <n>    after SIGTERM go on so long with /readyz at 503 (default 0)
  --log-level <level>    debug, info, warn or error (default info); logs are lines of JSON on standard error
  --json                 print one JSON object a line, logs included; the first says where it listens
  -h, --help             show this

Environment:
  SERVICE_AUTH_ISSUER, SERVICE_AUTH_AUDIENCE   where the policy file does not say
  SERVICE_AUTH_INTROSPECTION_CLIENT_ID, SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET   for issuers that introspect

Examples:
  service-auth gateway --config policy.json --check
  service-auth gateway --config policy.json --issuer https://idp.example --host 0.0.0.0

${exitCodeHelp}`;
