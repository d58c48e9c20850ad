import { ref } from './components.ts';
import { type Paths, reply } from './operation.ts';

const example = { clientId: '01a2047e-98dd-7000-8000-000000000007', secret: `lf_sk_${'0'.repeat(36)}` };

/** Tokens for keys, as clients of Frontegg ask for them. */
export const tokenPaths = (): Paths => ({
  '/auth/vendor': {
    post: {
      id: 'getToken',
      summary: 'Get a token for an API key',
      description:
        'It acts as the key does, for an hour, and ends with it. That of a management key acts for any tenant, by the header `frontegg-tenant-id`.',
      by: 'anybody',
      body: {
        'application/json': { schema: ref('Credentials'), example },
        'application/x-www-form-urlencoded': { schema: ref('Credentials'), example },
      },
      replies: {
        200: reply('The token', {
          schema: 'Token',
          example: { token: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl', expiresIn: 3600 },
          headers: ['Cache-Control'],
        }),
      },
      errors: ['authentication_error', 'misdirected_request'],
      errorFamily: 'frontegg',
      anyQuery: true,
    },
  },
});
