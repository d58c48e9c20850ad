const redacted = '[redacted]';

/**
 * What secrets look like, wherever they stand: each pattern keeps its first group and drops what follows. They are made for
 * lines of JSON, so none runs on behind a quote or a backslash; and for texts from outside, so each step of them is bounded.
 */
const secrets: RegExp[] = [
  // Passwords in URLs, such as those of DATABASE_URL, QUEUE_URL and webhooks.
  /(\b[a-z][a-z0-9+.-]{1,19}:\/\/[^\s"'\\/@:]{0,200}:)[^\s"'\\/@]{1,1000}(?=@)/gi,
  // What signs a link: of Amazon in both its versions, of the file storage, and of those who copied them.
  /([?&](?:x-amz-signature|x-amz-credential|x-amz-security-token|signature|awsaccesskeyid|sig|token|password|key)=)[^&\s"'\\]+/gi,
  /(\b(?:bearer|basic) )[a-z0-9._~+/=-]{8,}/gi,
  // Our own keys and secrets: the part that says what they are stays.
  /(\b(?:lf_sk_|lf_admin_|whsec_))[a-z0-9_+/=-]{8,}/gi,
];

/** The text with everything that looks like a secret put out. */
export const withoutSecrets = (text: string): string =>
  secrets.reduce((rest, pattern) => rest.replace(pattern, `$1${redacted}`), text);
