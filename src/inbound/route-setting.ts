import { optionError } from '../errors.ts';
import { distance, OptionChecker } from '../shared/options.ts';
import type { Policy } from './policy.ts';

const NAME = 'serviceAuth';

/**
 * What the config of a framework's route says under `serviceAuth`, for adapters: `undefined` if nothing.
 *
 * Such configs take any member of any type, so what is misspelt here would leave a route open without a word.
 * Not checked: the members of the policy.
 *
 * @throws TypeError for a name that is nearly `serviceAuth`, and for a value that is neither policy nor boolean.
 *
 * @example
 * ```ts
 * import { readRouteSetting } from 'service-auth';
 *
 * export const setting = readRouteSetting({ url: '/orders', serviceAuth: { scope: 'orders:read' } });
 * ```
 */
export function readRouteSetting(config: object): Policy | boolean | undefined {
  for (const name of Object.keys(config)) {
    if (name !== NAME && isNear(name)) {
      const problem = `unknown ${name} in the config of a route; did you mean ${NAME}?`;
      throw optionError('option_unknown', `${NAME}: ${problem}`);
    }
  }
  if (!Object.hasOwn(config, NAME)) return undefined;
  const { serviceAuth: setting } = config as { serviceAuth?: unknown };
  if (typeof setting === 'boolean' || isPolicy(setting)) return setting;
  return new OptionChecker(NAME).failKind('the config of a route', 'a policy, true or false', setting);
}

function isNear(name: string): boolean {
  return distance(NAME.toLowerCase(), name.toLowerCase()) <= 2;
}

function isPolicy(setting: unknown): setting is Policy {
  return typeof setting === 'object' && setting !== null && !Array.isArray(setting);
}
