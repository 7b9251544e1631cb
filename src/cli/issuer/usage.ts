import { exitCodeHelp } from '../exit-codes.ts';

export const issuerUsage = `Usage: service-auth issuer [options]

Runs an issuer: an OAuth 2.0 authorization server for services.

Where it keeps things:
  --data <dir>                         a directory on disk (default ./service-auth-data)
  --database-url <url>                 PostgreSQL; better by SERVICE_AUTH_DATABASE_URL, as a password in a flag is
                                       seen by every user of the machine
  --memory                             nowhere: all is lost when it stops
  --seed <file>                        services and resources to create if they are not there, in JSON
  --seed-secrets <dir>                 write the secrets of new services to files there, instead of printing them

How it is reached:
  --port <number>                      port to listen on; 0 picks a free one (default 4000)
  --host <address>                     address to listen on (default 127.0.0.1)
  --issuer <url>                       issuer identifier (default: the address it listens on)
  --tls-key <file>, --tls-cert <file>  serve https with this key and certificate, in PEM
  --tls-ca <file>                      ask clients for certificates of these authorities
  --trust-proxy <address>              a proxy, or a range of them, that names the address that asks; may be repeated
  --drain-seconds <number>             after SIGTERM go on so long with /readyz at 503 (default 0)

What it issues:
  --resource <uri>                     a resource that services may be registered for; may be repeated (default: any)
  --access-token-seconds <number>      life of access tokens (default 900)
  --signing-algorithm <name>           ES256, EdDSA or RS256 (default ES256)
  --key-publish-ahead-seconds <number> how long new signing keys are published before they sign (default 300)
  --key-rotation-seconds <number>      how long a signing key signs, or off (default 7776000: 90 days)
  --dpop-nonce                         DPoP proofs need a nonce
  --no-status-lists                    tokens name no place in a status list
  --status-list-ttl-seconds <number>   how long verifiers go by a status list (default 60)

How often it may be asked:
  --limit-client <n/seconds>           for each client, or off (default 6000/60)
  --limit-address <n/seconds>          for each address, or off (default 30000/60)

  --log-level <level>                  debug, info, warn or error (default info); logs are lines of JSON on
                                       standard error
  --json                               print one JSON object a line, logs included; the first says where it listens
  -h, --help                           show this

Environment:
  SERVICE_AUTH_ADMIN_TOKEN             opens the admin API (16 characters or more), or
  SERVICE_AUTH_ADMIN_TOKEN_FILE        the file that holds it; if neither is set, one is made and printed once
  SERVICE_AUTH_SECRET_KEY              encrypts what is stored (32 bytes or more), or
  SERVICE_AUTH_SECRET_KEY_FILE         the file that holds it; with --data and neither, one is made in the directory
  SERVICE_AUTH_DATABASE_URL            PostgreSQL

Examples:
  service-auth issuer --memory --port 0
  service-auth issuer --data /var/lib/service-auth --issuer https://idp.example --trust-proxy 10.0.0.0/8
  service-auth issuer --seed services.json --seed-secrets /run/secrets

${exitCodeHelp}`;
