"""Kinds of faults, planted in clean rows so that mending is measured and not believed.

One function for each kind, by family: image tags, the conversation's shape, roles, thinking and
modes, answers, coordinates, encoding, options. Nothing here knows what repairs exist, and
`pellucid.data.repair` may not import this room, nor this room that one.
"""

from pellucid.data.faults import (
    answers,
    boxes,
    encoding,
    options,
    roles,
    tags,
    talk,
    thinking,
)
from pellucid.data.faults.base import Fault, Row
from pellucid.data.faults.clean import FORMS, clean_rows

_ALL = tuple(FORMS)
_PROSE = tuple(name for name in FORMS if name not in ("read", "markup"))
"""Without forms in which escapes, entities or mojibake may be what is meant."""
_TALKS = ("dialogue", "series")
_SHOWN = tuple(name for name in FORMS if name not in ("total", "markup"))
_THINKS = ("reasoned", "total", "choice", "dialogue")
_BOXES = ("locate", "locate_all")
_PLACES = (*_BOXES, "point")
_OPTIONS = ("choice", "choice_text", "choice_free")
_SHORT = ("count", "colour", "chart", "choice", "long_prompt", "foreign")

FAULTS: dict[str, Fault] = {
    # image tags
    "tag_misspelt": Fault(tags.misspelt, "tags", True, _SHOWN),
    "tag_doubled": Fault(tags.doubled, "tags", True, _SHOWN),
    "tag_in_every_turn": Fault(tags.every_turn, "tags", True, _TALKS),
    "tag_in_reply": Fault(tags.in_reply, "tags", True, _SHOWN),
    "tags_all_missing": Fault(tags.all_missing, "tags", True, _SHOWN),
    "tag_missing": Fault(tags.missing, "tags", False, ("pair", "series")),
    "tag_without_image": Fault(tags.without_image, "tags", False, _SHOWN),
    "images_too_few": Fault(tags.too_few_images, "tags", False, ("pair", "series")),
    "image_null_in_list": Fault(tags.null_in_list, "tags", False, _SHOWN),
    "image_empty_text": Fault(tags.empty_text, "tags", True, ("total", "markup", "dialogue")),
    # shape of the conversation
    "turns_nested": Fault(talk.nested, "turns", True, _ALL, breaks=True),
    "turns_as_text": Fault(talk.as_json_text, "turns", True, _ALL, breaks=True),
    "turn_keys": Fault(talk.keys, "turns", True, _ALL, breaks=True),
    "turn_value_not_text": Fault(talk.value_not_text, "turns", True, _ALL, breaks=True),
    "turn_doubled": Fault(talk.turn_doubled, "turns", True, _ALL),
    "exchange_doubled": Fault(talk.exchange_doubled, "turns", True, _ALL),
    "question_split": Fault(talk.question_split, "turns", True, _SHOWN),
    "question_missing": Fault(talk.question_missing, "turns", False, _ALL, breaks=True),
    "reply_missing": Fault(talk.reply_missing, "turns", False, _ALL, breaks=True),
    "turns_empty": Fault(talk.empty, "turns", False, _ALL, breaks=True),
    # roles
    "role_misspelt": Fault(roles.misspelt, "roles", True, _ALL, breaks=True),
    "role_missing": Fault(roles.missing, "roles", True, _ALL, breaks=True),
    "roles_swapped": Fault(roles.labels_swapped, "roles", True, _SHOWN, breaks=True),
    "turns_out_of_order": Fault(roles.order_swapped, "roles", True, _SHOWN, breaks=True),
    "system_misplaced": Fault(roles.system_misplaced, "roles", True, _ALL, breaks=True),
    "roles_all_the_same": Fault(roles.all_the_same, "roles", False, _ALL, breaks=True),
    # thinking and modes
    "mode_tag_in_text": Fault(
        thinking.mode_tag_in_text, "thinking", True, ("count", "locate", "caption")
    ),
    "mode_misspelt": Fault(
        thinking.mode_misspelt, "thinking", True, ("count", "locate", "caption", "reasoned")
    ),
    "mode_contradicts": Fault(thinking.mode_contradicts, "thinking", False, _ALL),
    "think_tag_misspelt": Fault(thinking.misspelt, "thinking", True, _THINKS),
    "think_tag_doubled": Fault(thinking.doubled, "thinking", True, _THINKS),
    "think_opener_missing": Fault(thinking.opener_missing, "thinking", True, _THINKS),
    "think_closer_missing": Fault(thinking.closer_missing, "thinking", False, _THINKS),
    "think_closer_is_opener": Fault(thinking.closer_is_opener, "thinking", True, _THINKS),
    "think_after_answer": Fault(thinking.after_answer, "thinking", True, _THINKS),
    "answer_inside_thinking": Fault(
        thinking.answer_inside, "thinking", True, ("reasoned", "total", "choice")
    ),
    "thinking_disagrees": Fault(thinking.disagrees, "thinking", False, ("reasoned",)),
    "thinking_alone": Fault(thinking.alone, "thinking", False, ("choice", "dialogue")),
    # answers
    "reply_empty": Fault(answers.empty, "answers", False, _ALL, breaks=True),
    "reply_boilerplate": Fault(answers.boilerplate, "answers", False, _SHOWN),
    "reply_echoes_question": Fault(answers.echoes, "answers", False, _SHOWN),
    "reply_not_gold": Fault(answers.not_the_gold, "answers", False, _SHORT),
    "reply_hedged": Fault(answers.hedged, "answers", False, ("count",)),
    "letter_in_words": Fault(answers.letter_in_words, "answers", True, ("choice",)),
    "letter_as_text": Fault(answers.letter_as_text, "answers", True, ("choice",)),
    "text_as_letter": Fault(answers.text_as_letter, "answers", True, ("choice_text",)),
    "word_in_sentence": Fault(answers.word_in_sentence, "answers", True, ("count", "colour")),
    "gold_letter_form": Fault(answers.gold_letter_form, "answers", True, _OPTIONS),
    "gold_number_form": Fault(
        answers.gold_number_form, "answers", True, ("count", "reasoned", "total", "chart")
    ),
    # coordinates
    "box_absolute": Fault(boxes.absolute, "boxes", True, _PLACES),
    "box_thousandths": Fault(boxes.thousandths, "boxes", True, _PLACES),
    "box_scale_unclear": Fault(boxes.scale_unclear, "boxes", False, _PLACES),
    "box_width_height": Fault(boxes.width_height, "boxes", True, _BOXES),
    "box_corners_swapped": Fault(boxes.corners_swapped, "boxes", True, _BOXES),
    "box_order_unclear": Fault(boxes.order_unclear, "boxes", False, _BOXES),
    "box_out_of_range": Fault(boxes.out_of_range, "boxes", False, _BOXES),
    "box_no_area": Fault(boxes.no_area, "boxes", False, _BOXES),
    "box_text_broken": Fault(boxes.box_text_broken, "boxes", True, ("locate",)),
    # encoding
    "line_breaks_escaped": Fault(encoding.line_breaks_escaped, "encoding", True, _PROSE),
    "quotes_escaped": Fault(encoding.quotes_escaped, "encoding", True, _PROSE),
    "letters_escaped": Fault(encoding.letters_escaped, "encoding", True, _PROSE),
    "entities": Fault(encoding.entities, "encoding", True, _PROSE),
    "entities_twice": Fault(encoding.entities_twice, "encoding", True, _PROSE),
    "tags_escaped": Fault(encoding.tags_escaped, "encoding", True, _PROSE),
    "mojibake": Fault(encoding.mojibake, "encoding", True, _PROSE),
    "mojibake_twice": Fault(encoding.mojibake_twice, "encoding", True, _PROSE),
    "letters_lost": Fault(encoding.letters_lost, "encoding", False, _ALL),
    "invisible_signs": Fault(encoding.invisible, "encoding", True, _ALL),
    "prompt_overdone": Fault(encoding.prompt_overdone, "encoding", False, _ALL),
    # options and logic
    "gold_beyond_options": Fault(options.gold_beyond, "options", False, _OPTIONS),
    "gold_not_offered": Fault(options.gold_not_offered, "options", False, ("choice_text",)),
    "options_doubled": Fault(options.doubled, "options", False, _OPTIONS),
    "options_listed_otherwise": Fault(options.listed_otherwise, "options", False, _OPTIONS),
    "options_not_listed": Fault(options.not_listed, "options", False, ("choice", "choice_text")),
    "image_not_there": Fault(options.image_not_there, "options", False, _SHOWN),
    "answers_contradict": Fault(options.contradicted, "options", False, _SHORT, adds_row=True),
}
"""Kinds by name."""

__all__ = ["FAULTS", "FORMS", "Fault", "Row", "clean_rows"]
