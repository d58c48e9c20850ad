import type { Config } from './config.ts';

/** What the configuration says of regions. */
export type RegionConfig = Pick<Config, 'LOGFERRY_REGION' | 'LOGFERRY_REGIONS' | 'publicUrl'>;

/** Region → base URL, of all deployments that are known, this one's among them. */
export const regionsOf = (config: RegionConfig): Record<string, string> => ({
  [config.LOGFERRY_REGION]: config.publicUrl,
  ...config.LOGFERRY_REGIONS,
});
