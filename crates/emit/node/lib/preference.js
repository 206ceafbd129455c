// What a caller prefers (RFC 7240). A preference that is met is named in the answer; others are ignored.

/**
 * Whether the request's `Prefer` asks for this.
 * @param {import('./request.js').Request} request
 * @param {'return=minimal' | 'return=representation' | 'resolution=merge-duplicates'} preference
 */
export function asksFor(request, preference) {
  return preferred(request.header('prefer') ?? '', preference.split('=')[0]) === preference;
}

/** The same; where it does, the answer says that it is met. */
export function prefers(request, preference) {
  if (!asksFor(request, preference)) return false;
  const applied = request.answerHeaders['Preference-Applied']?.split(', ') ?? [];
  request.answerHeaders['Preference-Applied'] = [...new Set([...applied, preference])].join(', ');
  return true;
}

/** Of several of a name the first counts. */
function preferred(header, name) {
  const preferences = header.split(',').map((preference) => preference.split(';')[0].trim());
  const [first] = preferences.filter((preference) => preference.split('=')[0].trim().toLowerCase() === name);
  const value = /=\s*"?([a-z-]*)"?$/.exec(first ?? '')?.[1];
  return value && `${name}=${value}`;
}
