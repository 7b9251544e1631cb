/** How long after a token has expired its revocation is still told: verifiers' clocks may be behind, and forgiving. */
export const AFTERLIFE_MS = 60_000;
