/** The setting by which the database remembers its secret key. */
export const fingerprintName = 'secret_key_fingerprint';
