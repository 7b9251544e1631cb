/** What the checks and the other side of the network call each other. */

export const adminToken = 'an-admin-token-for-the-checks';

/** Of each kind one, by its URL, since what one check does to an issuer must not meet another. */
export const issuers = {
  plain: 'https://issuer.example',
  nonces: 'https://nonces.example',
  rotating: 'https://rotating.example',
};

/** The issuer that Workers reach over the network, and whom to ask there to run the suite. */
export const network = 'https://network.example';
export const suite = 'https://suite.example';
