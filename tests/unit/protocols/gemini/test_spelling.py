from iflow_cli_proxy.protocols.gemini.spelling import respelled


def test_names_with_underscores_become_googles_own() -> None:
    body = {
        "system_instruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "AA"}, "thought_signature": "x"}]}],
        "tools": [
            {"function_declarations": [{"name": "f", "parameters_json_schema": {"a_b": 1}}], "google_search": {}}
        ],
        "tool_config": {"function_calling_config": {"allowed_function_names": ["f"]}},
        "generation_config": {"top_p": 1, "thinking_config": {"include_thoughts": True}},
    }

    assert respelled(body) == {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "AA"}, "thoughtSignature": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"a_b": 1}}], "googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["f"]}},
        "generationConfig": {"topP": 1, "thinkingConfig": {"includeThoughts": True}},
    }


def test_what_belongs_to_the_client_keeps_its_names() -> None:
    call = {"function_call": {"name": "do_it", "args": {"file_path": {"is_dir": True}}}}
    result = {"function_response": {"name": "do_it", "response": {"exit_code": 0}}}

    (content,) = respelled({"contents": [{"parts": [call, result]}]})["contents"]

    assert content["parts"][0]["functionCall"]["args"] == {"file_path": {"is_dir": True}}
    assert content["parts"][1]["functionResponse"]["response"] == {"exit_code": 0}


def test_one_thing_stands_for_a_list_of_one() -> None:
    body = {"contents": {"parts": {"text": "hi"}}, "tools": {"function_declarations": {"name": "f"}}}

    assert respelled(body) == {
        "contents": [{"parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
    }


def test_texts_stand_for_what_holds_them() -> None:
    assert respelled({"contents": "hi", "systemInstruction": "be"}) == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "systemInstruction": {"parts": [{"text": "be"}]},
    }


def test_a_body_in_good_spelling_is_the_same_afterwards_and_wrong_shapes_pass_through() -> None:
    good = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "safetySettings": [{"threshold": "X"}]}
    wrong = {"contents": 3, "tools": [None], "generationConfig": [], "toolConfig": "x"}

    assert respelled(good) == good
    assert respelled(wrong) == wrong
