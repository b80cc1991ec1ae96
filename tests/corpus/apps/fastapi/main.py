"""A web application with one page."""
import fastapi
import pydantic
from fastapi.responses import Response

import orjson

app = fastapi.FastAPI()


class Answer(pydantic.BaseModel):
    word: str
    count: int


@app.get("/{word}")
def answer(word: str) -> Response:
    answer = Answer(word=word, count=len(word))
    return Response(orjson.dumps(answer.model_dump()), media_type="application/json")
