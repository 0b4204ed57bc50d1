// The page's request as a program, for developers.

export function python(model, examples, query, question) {
  const clip = (one) => `clip(${JSON.stringify(one.name)}),`;
  const text = (words) => `{"type": "text", "text": ${JSON.stringify(words)}},`;
  const content = [
    ...examples.flatMap((one) => [clip(one.clip), text(one.narration)]),
    clip(query),
    ...(question ? [text(question)] : []),
  ];
  return `import base64

from openai import OpenAI


def clip(path):
    data = base64.b64encode(open(path, "rb").read()).decode()
    return {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{data}"}}


client = OpenAI(base_url="${new URL("v1", document.baseURI)}", api_key="none")
content = [
${content.map((line) => `    ${line}`).join("\n")}
]
answer = client.chat.completions.create(
    model=${JSON.stringify(model)}, messages=[{"role": "user", "content": content}]
)
print(answer.choices[0].message.content)
`;
}
