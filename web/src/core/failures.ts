// What a person reads where an answer failed. What the gateway said stands behind "Details".
//
//   const { text, again } = failureOf({ message: 'upstream ...', code: 'upstream_unavailable' });
import type { ReplyError } from './types.ts';

export interface Failure {
  readonly text: string;
  readonly again: 'retry' | 'new_chat' | null;  // what may help: the same question again, a chat without this history, neither
}

const retry = (text: string): Failure => ({ text, again: 'retry' });
const settled = (text: string): Failure => ({ text, again: null });

// By the gateway's codes (isoveil/gateway/api_code.h) and the page's own.
export const FAILURES: Readonly<Record<string, Failure>> = {
  upstream_unavailable: retry('The model’s server cannot be reached right now.'),
  upstream_garbled: retry('The model’s server sent something that is no answer.'),
  upstream_mismatch: retry('The server runs a model that does not belong to your key, so its answer was thrown away.'),
  upstream_refused: retry('The model’s server refuses requests from this gateway.'),
  answer_not_as_required: retry('The model did not answer in the form that was asked for.'),
  rate_limit_exceeded: retry('The gateway has as many requests as it takes. In a moment there may be room.'),
  internal_error: retry('Something went wrong inside the gateway.'),
  cancelled: retry('The answer was cancelled.'),
  invalid_api_key: retry('The gateway asks for another API key.'),
  context_length_exceeded: { text: 'This chat has become longer than the model can read.', again: 'new_chat' },
  body_too_large: { text: 'This is more text than the gateway takes at once.', again: 'new_chat' },
  invalid_value: settled('The gateway does not take one of this chat’s settings.'),
  unsupported: settled('The gateway cannot do what one of this chat’s settings asks for.'),
  model_not_found: settled('This gateway has no model of that name. Choose another one above.'),
  bad_request: settled('The gateway could not read the request.'),
  not_found: settled('The gateway does not know this address. Is it an older version?'),
  method_not_allowed: settled('The gateway does not know this kind of request. Is it an older version?'),
  unsupported_content_encoding: settled('The gateway could not read the request.'),
  host_not_allowed: settled('The gateway does not answer under this address.'),
  origin_not_allowed: settled('The gateway does not answer pages from this address.'),
  unreachable: retry('The gateway cannot be reached. Is it still running on this machine?'),
  stream_ended: retry('The connection ended before the answer did.'),
  malformed: retry('What came back from the gateway cannot be read.'),
  empty: retry('The gateway sent nothing back.'),
};

const UNKNOWN = retry('The answer failed.');

export function failureOf(error: ReplyError): Failure {
  return error.code !== null && Object.hasOwn(FAILURES, error.code) ? FAILURES[error.code]! : UNKNOWN;
}
