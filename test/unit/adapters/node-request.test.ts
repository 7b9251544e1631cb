import { describe, expect, it } from 'vitest';
import { NodeRequestView } from '../../../adapters/node-request.ts';

/** As Node gives it: names in lower case in `headers`, the first Authorization alone. */
function view(rawHeaders: string[], headers: NodeJS.Dict<string | string[]>): NodeRequestView {
  return new NodeRequestView({ method: 'GET', headers, rawHeaders }, '/orders');
}

describe('NodeRequestView', () => {
  it('gives what is not there as undefined', () => {
    expect(view([], {}).headers.get('authorization')).toBeUndefined();
  });

  it('joins Authorization fields that came several times, in any case', () => {
    const raw = ['Authorization', 'Bearer a', 'Host', 'b', 'AUTHORIZATION', 'Bearer c', 'authorization', 'd'];
    expect(view(raw, { authorization: 'Bearer a' }).headers.get('authorization')).toBe(
      'Bearer a, Bearer c, d',
    );
  });

  it('is not misled by a value that reads like the name', () => {
    const raw = ['X-Name', 'authorization', 'Authorization', 'Bearer a', 'X-Other', 'authorization'];
    expect(view(raw, { authorization: 'Bearer a' }).headers.get('authorization')).toBe('Bearer a');
  });

  it('joins what Node gives as a list', () => {
    expect(view([], { 'x-list': ['a', 'b'] }).headers.get('x-list')).toBe('a, b');
  });

  it('takes a request without method as GET', () => {
    expect(new NodeRequestView({ headers: {}, rawHeaders: [] }, '/orders').method).toBe('GET');
  });
});
