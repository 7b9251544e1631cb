import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { optionError, type Policy, readRouteSetting } from '../../src/index.ts';
import { httpOf, SETTING, ServiceAuthGuard } from './guard.ts';
import type { PlatformRequest } from './platform.ts';

/** Classes and handlers that have their policy. */
const decorated = new WeakSet<object>();

/**
 * Protects a route, or all of a controller, under a policy; without one any good token will do. `false` opens a route
 * whose controller or application is protected. What a handler says replaces what its controller says, whole.
 *
 * Not checked here: the members of the policy, which the guard compiles when the application starts.
 *
 * @throws TypeError for what is neither policy nor boolean, a variable that is not set included, and for a second one at
 * the same place.
 */
export function RequireServiceAuth(...given: [policy?: Policy | boolean]): ClassDecorator & MethodDecorator {
  const policy = given.length === 0 ? true : given[0];
  const setting = applyDecorators(once, SetMetadata(SETTING, readRouteSetting({ serviceAuth: policy })));
  // With its guard, since a policy that nobody asks about would leave the route open without a word.
  return policy === false ? setting : applyDecorators(setting, UseGuards(ServiceAuthGuard));
}

/** The upper one of two would replace the other, and what that asks for. */
function once(controller: object, _name?: string | symbol, handler?: PropertyDescriptor): void {
  const target: object = handler?.value ?? controller;
  if (decorated.has(target)) {
    throw optionError(
      'options_conflict',
      'serviceAuth: RequireServiceAuth is given twice at the same place; write one policy',
    );
  }
  decorated.add(target);
}

/** Gives a handler its `Caller`: undefined where the route is open, or its policy `optional` and no token came. */
export const CurrentCaller: () => ParameterDecorator = createParamDecorator(
  (_data: undefined, context: ExecutionContext) => httpOf(context).getRequest<PlatformRequest>().caller,
);
