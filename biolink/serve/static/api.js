// Asks the service.

let token = "";
let needToken = () => {};

export function useToken(given) { token = given; }
export function onTokenNeeded(action) { needToken = action; }

async function asked(path, options = {}) {
  const headers = { ...(options.headers || {}) };
  if (token) headers.authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("the service does not answer; is it still running?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) needToken();
  let detail = `the service answered with status ${answer.status}`;
  try { detail = (await answer.json()).detail || detail; } catch { /* the status says enough */ }
  throw new Error(detail);
}

export const get = async (path) => (await asked(path)).json();
export const getBlob = async (path) => (await asked(path)).blob();

const sent = (body) => ({
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
});
export const post = async (path, body) => (await asked(path, sent(body))).json();
export const postBlob = async (path, body) => (await asked(path, sent(body))).blob();

/** Link a text (a string), or a file with its name. */
export async function link(content, name = "") {
  const address = `page/link?name=${encodeURIComponent(name)}`;
  return (await asked(address, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: content })).json();
}

const entries = new Map();
/** What the knowledge base says about a concept; asked once. */
export function concept(curie) {
  if (!entries.has(curie)) {
    const entry = get(`concepts/${encodeURIComponent(curie)}`);
    entry.catch(() => entries.delete(curie));
    entries.set(curie, entry);
  }
  return entries.get(curie);
}

export const search = async (query) => (await get(`search?limit=8&q=${encodeURIComponent(query)}`)).hits;
