// What Scalar's reference shows, and that it asks nobody but this service for anything.
// https://scalar.com/products/api-references/configuration
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
// Only now: where Scalar's script did not arrive, the words that lead to the description stay.
document.getElementById('waiting').remove();
