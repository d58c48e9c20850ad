import { describe } from 'vitest';
import { s3Service } from '../../../services/services.ts';
import { objectStoreContract } from '../object-store-contract.ts';
import { openTestStore } from '../open-test-store.ts';

const s3 = await s3Service();

describe.skipIf('missing' in s3)('S3', () => {
  if ('missing' in s3) return;
  objectStoreContract('The S3 storage', () => openTestStore(s3));
});
