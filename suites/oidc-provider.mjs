// An OpenID provider that others wrote, with one client and whatever account signs in, for the tests:
// `node oidc-provider.mjs REDIRECT_URI`. Prints its issuer, and stops when its input ends.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'provost',
      client_secret: 'a secret of the provider',
      redirect_uris: [process.argv[2]],
    }],
    // Whoever signs in as `ada` is ada@acme.example.
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@acme.example`, email_verified: true, name: id, groups: ['engineers'] }),
    }),
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    cookies: { keys: ['a key of a test'] },
    pkce: { required: () => true },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
