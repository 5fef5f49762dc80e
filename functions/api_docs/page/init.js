// What Scalar's reference shows, and that it asks nobody but this service for anything.
// https://scalar.com/products/api-references/configuration
document.getElementById('waiting').remove();
Scalar.createApiReference('#reference', {
  url: 'openapi.json',
  agent: { disabled: true },
  hideClientButton: true,
  mcp: { disabled: true },
  persistAuth: false,
  showDeveloperTools: 'never',
  telemetry: false,
  withDefaultFonts: false,
  // Each operation shows the shapes of its answers itself: a list of all shapes would only make it slower.
  hideModels: true,
  defaultOpenAllTags: true,
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
});
