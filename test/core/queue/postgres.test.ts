import { createTestDatabase } from '../../database.ts';
import { queueContract } from './queue-contract.ts';

queueContract('PostgreSQL', async () => {
  const { url, drop } = await createTestDatabase();
  return { url, close: drop };
});
