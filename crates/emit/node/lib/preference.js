// What a caller prefers of an answer (RFC 7240). A preference that is met is named in the answer; others are ignored.

/**
 * Whether the request's `Prefer` asks for this way of answering.
 * @param {import('./request.js').Request} request
 * @param {'return=minimal' | 'return=representation'} preference
 */
export function prefers(request, preference) {
  if (preferredReturn(request.header('prefer') ?? '') !== preference) return false;
  request.answerHeaders['Preference-Applied'] = preference;
  return true;
}

/** Of several the first counts. */
function preferredReturn(header) {
  const preferences = header.split(',').map((preference) => preference.split(';')[0].trim());
  const [, value] = preferences.map((preference) => /^return\s*=\s*"?([a-z]*)"?$/i.exec(preference)).find(Boolean) ?? [];
  return value && `return=${value}`;
}
