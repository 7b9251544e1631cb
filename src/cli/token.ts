import { createTokenClient } from '../index.ts';
import {
  audienceFlagHelp,
  clientEnvironmentHelp,
  clientFlags,
  clientFlagsHelp,
  tokenClientOptions,
} from './client-flags.ts';
import { asUsage, defineCommand } from './command.ts';
import { exitCodeHelp, exitCodes } from './exit-codes.ts';

const usage = `Usage: service-auth token [options]

Obtains an access token with the client of the environment and prints it.

${clientFlagsHelp}
${audienceFlagHelp}
  --header                  print it as an Authorization header
  --json                    print one JSON document, with expiry and scope
  -h, --help                show this

Environment:
${clientEnvironmentHelp}

Examples:
  service-auth token --scope orders:read --resource https://orders.example
  curl -H "$(service-auth token --header)" https://orders.example/orders

${exitCodeHelp}`;

/** `service-auth token`: prints an access token. */
export const tokenCommand = defineCommand({
  usage,
  flags: { ...clientFlags, audience: { type: 'string' }, header: { type: 'boolean', default: false } },
  async run(values, output) {
    const tokens = await asUsage(async () =>
      createTokenClient(await tokenClientOptions(values, values.audience)),
    );
    try {
      const { accessToken, authorization, tokenType, expiresAt, scope } = await tokens.getToken();
      const header = `Authorization: ${authorization}`;
      const document = {
        accessToken,
        tokenType,
        expiresAt: new Date(expiresAt).toISOString(),
        expiresInSeconds: Math.max(0, Math.floor((expiresAt - Date.now()) / 1000)),
        scope,
        ...(values.header && { header }),
      };
      output.result(document, () => (values.header ? header : accessToken));
      if (tokenType === 'DPoP') {
        output.note(
          'The key that this token is bound to ends with this command; see service-auth call --dpop.',
        );
      }
      return exitCodes.good;
    } finally {
      tokens.close();
    }
  },
});
