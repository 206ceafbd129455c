// Shows the OpenAPI document of the server that this page came from. A file of its own, because the page's
// Content-Security-Policy allows no script inside it.

SwaggerUIBundle({
  dom_id: '#reference',
  url: 'openapi.json',
  deepLinking: true,
  displayRequestDuration: true,
  // A key is forgotten with the page.
  persistAuthorization: false,
  // No link may make this page show, and call, another API.
  queryConfigEnabled: false,
  // Swagger UI would send the document to a validator on the internet.
  validatorUrl: null,
});
