/** The response with headers set, for handlers that give a web `Response`. */
export function withHeaders(response: Response, added: Readonly<Record<string, string>>): Response {
  // After an upgrade (101) and `Response.error()` (0) nobody reads headers, and a copy would lose what counts; a
  // handler that took the connection over may give nothing at all.
  if (!(response?.status >= 200)) return response;
  try {
    return setHeaders(response, added);
  } catch {
    // Those of a fetched response cannot be changed.
    return setHeaders(new Response(response.body, response), added);
  }
}

function setHeaders(response: Response, added: Readonly<Record<string, string>>): Response {
  for (const [name, value] of Object.entries(added)) response.headers.set(name, value);
  return response;
}
