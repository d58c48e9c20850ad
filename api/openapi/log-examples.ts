import { tenantExample } from './examples.ts';

const name = `audit.example.com/log/${tenantExample.id}`;

/** A log of the one event of the other examples. */
export const checkpointExample = `${name}
1
4LuCeRuuPFC9nCD6TM3LgGSlblwSvGmwfmcSrJtEKeY=

— ${name} BV43Kd/HbCuBpZh5rv2XydewlH0S3VcFkbbv0X4z43ttfrOgVRseT+yuUOKOUgxXzwfnelI3QQJ0BnMKzJD6OJKc0gM=
`;

export const verifierKeyExample = `${name}+055e3729+AfcHAOXchxg8j5edxh7IH6BlhAtV8Q1Uj+HthB6rHYoF\n`;

export const proofExample = `c2sp.org/tlog-proof@v1\nindex 0\n\n${checkpointExample}`;

export const signingKeyExample = {
  crv: 'Ed25519',
  kty: 'OKP',
  x: '9wcA5dyHGDyPl53GHsgfoGWEC1XxDVSP4e2EHqsdigU',
  alg: 'Ed25519',
  use: 'sig',
  kid: '2wcEz16imJlbZrOvztSPonmJ3CnC-esEgsUbzrccHqw',
  logferry_valid_from: '2026-11-22T10:00:00.000000Z',
  logferry_valid_until: null,
};

export const restartedLogExample = {
  tenant_id: tenantExample.id,
  origin: `${name}/2`,
  previous_origin: name,
};

/** Cut short: payload and signature are base64. */
export const receiptExample = {
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  verificationMaterial: { publicKey: { hint: signingKeyExample.kid } },
  dsseEnvelope: {
    payload: 'eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==',
    payloadType: 'application/vnd.in-toto+json',
    signatures: [{ sig: 'AA==', keyid: signingKeyExample.kid }],
  },
};
