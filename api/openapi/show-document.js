// Runs in the browser, in a file of its own: the page's Content-Security-Policy allows no script inside it.
globalThis.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  // Else the document would be sent to a validator of somebody else's.
  validatorUrl: null,
});
