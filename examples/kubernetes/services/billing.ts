/** A caller without a secret: who it is says the token that Kubernetes puts into its file. */
import {
  createAuthedFetch,
  federatedAssertion,
  isServiceAuthError,
  kubernetesServiceAccountToken,
} from 'service-auth';
import { servePod, setting } from './pod.ts';

const orders = setting('SERVICE_AUTH_RESOURCE');
const workload = kubernetesServiceAccountToken(setting('SERVICE_ACCOUNT_TOKEN_FILE'));
const authedFetch = createAuthedFetch({ clientAuth: federatedAssertion(workload) });

/** What the call to the other service was answered, or why there was none. */
async function fetchOrders(): Promise<{ status: number; body: string }> {
  try {
    const response = await authedFetch(`${orders}/orders`);
    return { status: response.status, body: await response.text() };
  } catch (error) {
    return {
      status: 502,
      body: JSON.stringify({ error: isServiceAuthError(error) ? error.code : 'unknown' }),
    };
  }
}

servePod({
  ready: async () => {},
  handler: async (_, response) => {
    const { status, body } = await fetchOrders();
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  },
});
