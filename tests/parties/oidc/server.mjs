// A real OpenID provider (oidc-provider, certified) for the tests: any name signs in, and the name is the claims.
// argv: port, client id, client secret, redirect addresses separated by commas.
import { Provider } from "oidc-provider";

const [port, client_id, client_secret, redirects] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const provider = new Provider(issuer, {
  clients: [
    { client_id, client_secret, redirect_uris: redirects.split(","), grant_types: ["authorization_code"], response_types: ["code"] },
  ],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"], groups: ["groups"] },
  scopes: ["openid", "email", "profile", "groups"],
  // As Keycloak and others do: the claims stand in the id token too.
  conformIdTokenClaims: false,
  cookies: { keys: ["test"] },
  async findAccount(_ctx, id) {
    const claims = JSON.parse(Buffer.from(id, "base64url").toString());
    return { accountId: id, claims: async () => ({ ...claims, sub: id }) };
  },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
