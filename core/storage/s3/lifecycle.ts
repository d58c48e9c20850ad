import type { LifecycleRule } from '@aws-sdk/client-s3';
import type { Finding } from '../../findings.ts';
import type { S3Options } from './options.ts';

const about = 'storage';
const secondsADay = 86_400;
/** From these a file must be brought back, for hours, before anybody can read it. */
const archives = ['GLACIER', 'DEEP_ARCHIVE'];

/** What the rules of a bucket mean for our files and for uploads that nobody ends. */
export function judgeLifecycle(rules: LifecycleRule[], options: S3Options): Finding[] {
  const enabled = rules.filter((rule) => rule.Status === 'Enabled');
  return [abortFinding(enabled, options), ...enabled.flatMap((rule) => earlyEndFindings(rule, options))];
}

/** What to do about a bucket whose rules abort no uploads; `why` begins the sentence. */
export function adviseAbortRule(why: string, { bucket, prefix }: S3Options): Finding {
  const rule = {
    ID: 'logferry-unfinished-uploads',
    Status: 'Enabled',
    Filter: { Prefix: prefix },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 },
  };
  return {
    level: 'warning',
    about,
    text: `${why}: parts of abandoned uploads are kept and billed until a worker runs again`,
    remedy: `Add this rule to those that the bucket has (aws s3api put-bucket-lifecycle-configuration --bucket ${bucket} --lifecycle-configuration '{"Rules":[…]}' replaces all of them): ${JSON.stringify(rule)}`,
  };
}

function abortFinding(rules: LifecycleRule[], options: S3Options): Finding {
  const days = rules
    .filter((rule) => options.prefix.startsWith(prefixOf(rule)))
    .flatMap((rule) => rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation ?? []);
  if (days.length === 0) return adviseAbortRule('no lifecycle rule aborts unfinished uploads', options);
  return { level: 'ok', about, text: `the bucket aborts unfinished uploads after ${Math.min(...days)} days` };
}

function earlyEndFindings(rule: LifecycleRule, options: S3Options): Finding[] {
  const { prefix, exportTtlSeconds } = options;
  // Our files have no tags, so a rule for tagged ones leaves them alone.
  if (!reaches(rule, prefix) || rule.Filter?.Tag || rule.Filter?.And?.Tags?.length) return [];
  const isEarly = ({ Days, Date: date }: { Days?: number; Date?: Date }) =>
    date !== undefined || (Days !== undefined && Days * secondsADay < exportTtlSeconds);
  const name = `the lifecycle rule ${rule.ID ?? '(without a name)'}`;
  const finding = (does: string): Finding => ({
    level: 'warning',
    about,
    text: `${name} ${does} before EXPORT_TTL (${exportTtlSeconds} s) ends: completed exports lose their file`,
    remedy: `Make the rule wait longer, exclude the prefix "${prefix}", or make EXPORT_TTL shorter.`,
  });
  const found: Finding[] = [];
  if (rule.Expiration && isEarly(rule.Expiration)) found.push(finding('deletes files'));
  if (rule.Expiration && reaches(rule, `${prefix}log/`)) found.push(checkpointFinding(name, prefix));
  const toArchive = (rule.Transitions ?? []).filter(({ StorageClass }) => archives.includes(StorageClass ?? ''));
  if (toArchive.some(isEarly)) found.push(finding('archives files'));
  return found;
}

/** Whether a rule is for keys that begin like this. */
const reaches = (rule: LifecycleRule, prefix: string): boolean =>
  prefix.startsWith(prefixOf(rule)) || prefixOf(rule).startsWith(prefix);

/** What is kept there has no end. */
const checkpointFinding = (name: string, prefix: string): Finding => ({
  level: 'warning',
  about,
  text: `${name} deletes the checkpoints of logs under ${prefix}log/: a database that is restored is not found out`,
  remedy: `Limit the rule to the prefix "${prefix}exports/".`,
});

/** The beginning of the keys that a rule is for; older rules have it outside of Filter. */
const prefixOf = ({ Filter, Prefix }: LifecycleRule): string => Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? '';
