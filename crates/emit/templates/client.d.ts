// Types of the client of the {{ api }} API.
{% for type in declared %}

/** {{ type.says }} */
export interface {{ type.name }} {
{% for field in type.fields %}
  /** {{ field.says }} */
  {{ field.name }}{% if field.optional %}?{% endif %}: {{ field.of }};
{% endfor %}
}
{% endfor %}
{% if patched %}

/** An operation on a record, RFC 6902: they are done one after the other, all of them or none. */
export type PatchOperation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }
  | { op: 'copy' | 'move'; from: string; path: string };
{% endif %}
{% if lists %}

/** A page of a list. */
export interface PageOf<Item> {
  items: Item[];
  /** The `cursor` of the next page; null on the last. */
  next: string | null;
  /** How many rows there are on all pages together, where `count` asked. */
  total?: number;
  /** Whether that is all of them, where `count` asked for an estimate. */
  total_is?: 'exact' | 'at_least';
}
{% endif %}

/** What a method gives. */
export interface Answer<Status extends number, Data> {
  status: Status;
  data: Data;
  /** The version of what is answered, where it has one and the server lets a page of another origin see it. */
  etag: string | undefined;
  headers: Headers;
}
{% if picks %}

/** Which fields of records are wanted; all of them where it is not said. */
export interface Picked<Field> {
  fields?: readonly Field[] | undefined;
}
{% endif %}
{% if includes %}

/** Which rows of others are wanted with records; none where it is not said. */
export interface Including<Included> {
  include?: readonly Included[] | undefined;
}
{% endif %}
{% if spared %}

/** What a read gives that named the version it has, where that is still the newest. */
export type NotModified = Answer<304, undefined>;
{% endif %}

/** An error answer, RFC 9457. */
export interface ProblemOf<Name extends string, Status extends number> {
  type: `urn:problem-type:${Name}`;
  title: string;
  status: Status;
  detail: string;
  /** Finds the request in the server's log. */
  request_id: string;
}

/** Every error answer; its `type` tells which one it is. */
export type Problem =
{% for problem in problems %}
  | {% if problem.errors %}(ProblemOf<'{{ problem.name }}', {{ problem.status }}> & { errors: FieldError[] }){% else %}ProblemOf<'{{ problem.name }}', {{ problem.status }}>{% endif %}{% if loop.last %};{% endif %}

{% endfor %}

/** What is wrong with one field of a body, or with one parameter. */
export interface FieldError {
  /** Where in the body the field is, RFC 6901: `/email`. */
  pointer?: string;
  /** The name of the query parameter, where it is not the body. */
  parameter?: string;
  code: string;
  /** What it must be. */
  detail: string;
}

/** What a method throws when the API does not do what it was asked. Where no answer comes at all, `fetch` throws. */
export class ApiError extends Error {
  readonly status: number;
  /** What the API says is wrong; `undefined` where something before it answered. */
  readonly problem: Problem | undefined;
  readonly headers: Headers;
  /** How many seconds to wait before the next try, where the server says so. */
  get retryAfter(): number | undefined;
}

export interface ClientOptions {
  /** Where the API is: `https://api.example.com`. */
  baseUrl: string | URL;
{% for credential in credentials %}
  /** {{ credential.says }} */
  {{ credential.name }}?: {{ credential.of }} | (() => {{ credential.of }} | Promise<{{ credential.of }}>) | undefined;
{% endfor %}
  /** Instead of the global `fetch`. */
  fetch?: typeof fetch | undefined;
}

export interface CallOptions {
  /** Ends the call early. */
  signal?: AbortSignal | undefined;
  /** More headers. */
  headers?: Record<string, string> | undefined;
}
{% if repeatable %}

export interface WriteOptions extends CallOptions {
  /** Best a new UUID for each thing to be done: sent again with the same one, it is done once and answered as before. */
  idempotencyKey?: string | undefined;
}
{% endif %}
{% if guarded %}

export interface ChangeOptions extends CallOptions {
  /** The `etag` of the record as you know it: the change fails with `precondition-failed` where it has changed since. */
  ifMatch?: string | undefined;
}
{% endif %}

export class {{ class }} {
  constructor(options: ClientOptions);
{% for method in methods %}

  /**
   * {{ method.summary }}: `{{ method.route }}`.
   *
   * @throws {ApiError} {{ method.problems | join(", ") }}
   */
{% set own %}{% for parameter in method.parameters %}{{ parameter.name }}: {{ parameter.of }}, {% endfor %}{% endset %}
{% set of %}{% if method.picked %}<Field extends keyof {{ method.picked }} = keyof {{ method.picked }}{% if method.related %}, Included extends keyof {{ method.related }} = never{% endif %}>{% endif %}{% endset %}
{% set picking %}{% if method.picked %} & Picked<Field>{% if method.related %} & Including<Included>{% endif %}{% endif %}{% endset %}
{% set query %}{% if method.list %}{{ method.list.query }}{{ picking }}{% endif %}{% endset %}
{% set options %}{{ method.options }}{% if not method.list %}{{ picking }}{% endif %}{% endset %}
{% set all %}{{ own }}{% if method.list %}query?: {{ query }}, {% endif %}{% endset %}
{% if method.spared %}
  {{ method.name }}{{ of }}({{ own }}{% if method.list %}query: ({{ query }}) | undefined, {% endif %}options: {{ options }} & { ifNoneMatch: string }): Promise<{{ method.result }} | NotModified>;
{% endif %}
{% for preferred in method.preferred %}
  {{ method.name }}({{ own }}options: {{ method.options }} & { {{ preferred.option }} }): Promise<{{ preferred.result }}>;
{% endfor %}
{% if method.several and method.several.merged %}
  {{ method.name }}({{ method.several.own }}options: {{ method.options }} & { merge: true }): Promise<{{ method.several.merged }}>;
{% endif %}
{% if method.several %}
  {{ method.name }}({{ method.several.own }}options?: {{ method.options }}): Promise<{{ method.several.result }}>;
{% endif %}
  {{ method.name }}{{ of }}({{ all }}options?: {{ options }}): Promise<{{ method.result }}>;
{% if method.list and method.list.all %}

  /** Every row of `{{ method.name }}`, page after page. */
  {{ method.list.all }}{{ of }}({{ all }}options?: {{ options }}): AsyncGenerator<{{ method.list.item }}, void, undefined>;
{% endif %}
{% endfor %}
}
