/** Where a project of vitest.config.ts has its queue and its files. */
export type Engines = { queue: 'postgres' | 'redis'; storage: 'files' | 's3' };

/** Every pair there is, by the name of its project. The first is that of `npm start`, the second that of docker-compose.yml. */
export const enginePairs: Record<string, Engines> = {
  'postgres+files': { queue: 'postgres', storage: 'files' },
  'redis+s3': { queue: 'redis', storage: 's3' },
  'postgres+s3': { queue: 'postgres', storage: 's3' },
  'redis+files': { queue: 'redis', storage: 'files' },
};
