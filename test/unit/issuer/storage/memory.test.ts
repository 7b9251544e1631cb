import { expect, it } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { storageContract } from './contract.ts';

storageContract(async () => memoryStorage());

it('says that it does not last', () => expect(memoryStorage().durable).toBe(false));
