/** Pages that stand alone: nothing on them is loaded from elsewhere, which their policy makes sure of. */

export interface Page {
  /** As text; escaped here. */
  title: string;
  style: string;
  /** What the page may do besides having styles, as `img-src data:`; nothing by default. */
  policy?: string;
  /** Of the body, as HTML. */
  body: string;
}

export function htmlPage({ title, style, policy, body }: Page): string {
  const allowed = ["default-src 'none'", "style-src 'unsafe-inline'", ...(policy === undefined ? [] : [policy])];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${allowed.join('; ')}">
<title>${escapeHtml(title)}</title>
<style>${style}
</style>
</head>
<body>
${body.trim()}
</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}
