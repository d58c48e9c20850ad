import { inject, TestRunner } from 'vitest';
import { isMissing } from '../local/services/missing.ts';
import { redisService, s3Service } from './services/services.ts';

/** Runs test files on the engines of their project; where one is missing, each of their tests is skipped. */
export default class EngineRunner extends TestRunner {
  override async importFile(filepath: string, source: 'collect' | 'setup'): Promise<unknown> {
    if (source === 'collect' && (await isOneMissing())) this.config.testNamePattern = matchesNothing;
    return super.importFile(filepath, source);
  }
}

const matchesNothing = /(?!)/;

async function isOneMissing(): Promise<boolean> {
  const { queue, storage } = inject('engines')!;
  const needed = [...(queue === 'redis' ? [redisService] : []), ...(storage === 's3' ? [s3Service] : [])];
  const found = await Promise.all(needed.map((ask) => ask()));
  return found.some(isMissing);
}
