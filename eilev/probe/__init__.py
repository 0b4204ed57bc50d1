"""The evaluation's conditions, put to any model behind OpenAI's chat completions.

What is asked, how an episode becomes a chat, the endpoint, what its answers say, the page. Commands
import this. How an answer is judged belongs to `evaluation`; nothing here loads a model.
"""
