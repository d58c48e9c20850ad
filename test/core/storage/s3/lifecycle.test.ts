import type { LifecycleRule } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../../core/config.ts';
import { judgeLifecycle } from '../../../../core/storage/s3/lifecycle.ts';
import { readS3Options } from '../../../../core/storage/s3/options.ts';

const options = readS3Options(readConfig({ STORAGE_URL: 's3://bucket/our/files', EXPORT_TTL: '604800' }));
const abortRule: LifecycleRule = {
  Status: 'Enabled',
  Filter: { Prefix: '' },
  AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
};
const judge = (...rules: LifecycleRule[]) => judgeLifecycle(rules, options);
const warnings = (...rules: LifecycleRule[]) => judge(...rules).filter(({ level }) => level === 'warning');

describe('The lifecycle rules of a bucket', () => {
  it.each([
    ['for all of it', abortRule],
    ['for a folder above ours', { ...abortRule, Filter: { Prefix: 'our/' } }],
    ['in the older form', { ...abortRule, Filter: undefined, Prefix: 'our/files' }],
    ['without any filter', { ...abortRule, Filter: undefined }],
    ['for sizes too', { ...abortRule, Filter: { And: { Prefix: 'our/', ObjectSizeGreaterThan: 1 } } }],
  ])('are good when one aborts unfinished uploads %s', (_, rule: LifecycleRule) => {
    expect(judge(rule)).toEqual([
      { level: 'ok', about: 'storage', text: 'the bucket aborts unfinished uploads after 7 days' },
    ]);
  });

  it.each([
    ['there are none', []],
    ['it is switched off', [{ ...abortRule, Status: 'Disabled' as const }]],
    ['it is for others', [{ ...abortRule, Filter: { Prefix: 'their/' } }]],
    ['it is for a part of ours alone', [{ ...abortRule, Filter: { Prefix: 'our/files/exports/' } }]],
  ])('are advised of one that aborts unfinished uploads when %s', (_, rules: LifecycleRule[]) => {
    const [finding, ...others] = judge(...rules);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ level: 'warning', text: expect.stringContaining('unfinished uploads') });
    const remedy = (finding as { remedy: string }).remedy;
    expect(JSON.parse(remedy.slice(remedy.indexOf('{"ID"')))).toMatchObject({
      Status: 'Enabled',
      Filter: { Prefix: 'our/files/' },
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
    });
  });

  it.each<[string, Partial<LifecycleRule>]>([
    ['deletes files too early', { Expiration: { Days: 6 } }],
    ['deletes files on a day', { Expiration: { Date: new Date('2030-01-01') } }],
    ['deletes some of our files too early', { Filter: { Prefix: 'our/files/exports/' }, Expiration: { Days: 1 } }],
    ['archives files too early', { Transitions: [{ Days: 1, StorageClass: 'DEEP_ARCHIVE' }] }],
  ])('are warned of when one %s', (_, rule) => {
    const found = warnings(abortRule, { ID: 'mine', Status: 'Enabled', Filter: { Prefix: 'our/' }, ...rule });
    const ofFiles = found.filter(({ text }) => !text.includes('checkpoints'));
    expect(ofFiles).toHaveLength(1);
    expect(ofFiles[0]!.text).toMatch(/the lifecycle rule mine (deletes|archives) files before EXPORT_TTL/);
  });

  it.each(['', 'our/', 'our/files/', 'our/files/log/', 'our/files/log/some'])(
    'are warned of when one deletes checkpoints: %j',
    (Prefix) => {
      const found = warnings(abortRule, {
        ID: 'mine',
        Status: 'Enabled',
        Filter: { Prefix },
        Expiration: { Days: 97 },
      });
      expect(found.map(({ text }) => text)).toEqual([expect.stringMatching(/mine deletes the checkpoints of logs/)]);
    },
  );

  it.each<[string, Partial<LifecycleRule>]>([
    ['deletes files when they have ended', { Filter: { Prefix: 'our/files/exports/' }, Expiration: { Days: 7 } }],
    ['deletes those of others', { Filter: { Prefix: 'their/' }, Expiration: { Days: 1 } }],
    [
      'deletes those with a tag, which ours have not',
      { Filter: { Tag: { Key: 'a', Value: 'b' } }, Expiration: { Days: 1 } },
    ],
    ['is switched off', { Status: 'Disabled' as const, Expiration: { Days: 1 } }],
    ['deletes old versions', { NoncurrentVersionExpiration: { NoncurrentDays: 1 } }],
    [
      'moves files to where they can be read at once',
      { Transitions: [{ Days: 1, StorageClass: 'GLACIER_IR' as const }] },
    ],
  ])('are left alone when one %s', (_, rule) => {
    expect(warnings(abortRule, { ID: 'mine', Status: 'Enabled', Filter: { Prefix: 'our/' }, ...rule })).toEqual([]);
  });
});
