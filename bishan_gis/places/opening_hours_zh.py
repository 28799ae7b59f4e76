"""Chinese ways of writing opening hours, in the syntax of OSM. Nothing is guessed: what is not known stays Chinese."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["translate_hours"]

_DAYS = dict(zip("一二三四五六日天", ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su", "Su"), strict=True))
_WEEK = "(?:周|星期|礼拜)"
_DAY = f"[{''.join(_DAYS)}]"
_CODE = "(?:Mo|Tu|We|Th|Fr|Sa|Su|PH)"

#: Words, in the order in which they are replaced, once full-width characters have become plain ones.
_WORDS: tuple[tuple[str, str], ...] = (
    (r"^\s*(?:对外)?(?:营业|开放|开门|服务|门诊|办公)?时间\s*:?\s*", ""),
    (r"^(?:每天|每日|全年)?(?:24|二十四)小时(?:营业|开放|服务)?$", "24/7"),
    (r"^(?:每天|每日|全年)?全天候?(?:营业|开放|服务)?$", "24/7"),
    (r"(?:24|二十四)小时", "00:00-24:00"),
    (r"全年无休", ""),
    (r"每天|每日|天天", "Mo-Su "),
    (r"(?:法定)?节假日[、,及和]?周末|周末[、,及和]?(?:法定)?节假日", "Sa,Su,PH "),
    (r"周末|双休日", "Sa,Su "),
    (r"工作日", "Mo-Fr "),
    (r"法定节假日|法定假日|节假日|公休日", "PH "),
    (r"休息|不营业|不开放|关闭|闭馆|停诊|休馆|休诊", " off"),
    (r"(\d)\s*[点时]半", r"\1:30"),
    (r"(\d)\s*[点时](\d{2})分?", r"\1:\2"),
    (r"(\d)\s*[点时]整?", r"\1:00"),
)
#: Halves of the day whose hours stand as they are; noon only with its own hour.
_MORNING = r"次日|翌日|第二天|凌晨|早上|早晨|上午|早(?=\s*\d)|中午(?=\s*12)"
#: Marks between days, times and rules.
_MARKS: tuple[tuple[str, str], ...] = (
    (r"\s*(?:至|到|~|—|–|―|-)+\s*", "-"),
    (r"[、和及]", ","),
    (rf"({_CODE})\s*[:,]\s*(?=\d)", r"\1 "),
    (rf"({_CODE})(?=\d)", r"\1 "),
    (rf"(\d{{1,2}}:\d{{2}})\s+(?={_CODE})", r"\1; "),
    (rf"(\d{{1,2}}:\d{{2}})\s*,\s*(?=(?:{_CODE}[-,]?)+\s*off)", r"\1; "),
    (r"\s*;\s*", "; "),
    (r"\s{2,}", " "),
)


def _week_days(match: re.Match[str]) -> str:
    text = re.sub(rf"{_WEEK}|每", "", match.group(0)).replace("、", ",").replace("和", ",")
    text = re.sub("[至到~—–-]+", "-", text)
    text = re.sub(rf"({_DAY})(?={_DAY})", r"\1,", text)
    return "".join(_DAYS.get(c, c) for c in text) + " "


def _afternoon(match: re.Match[str]) -> str:
    """Add 12 hours to the times that stand after a word for the second half of the day."""
    midnight = 24 if match.group(1) != "下午" else 12

    def later(time: re.Match[str]) -> str:
        hour = int(time[1])
        return f"{midnight if hour == 12 else hour + 12 if hour < 12 else hour}:"

    return re.sub(r"(\d{1,2}):", later, match.group(2))


def translate_hours(text: str) -> str:
    """Translate a common Chinese way of writing opening hours into that of OSM.

    Parameters
    ----------
    text : str
        What the source says.

    Returns
    -------
    str
        In the syntax of OSM where all words are known; what is not known stays, so that it is seen to be unreadable.
        Empty where nothing says when it is open: ``周日休息`` does not tell the hours of the other days.

    Notes
    -----
    Known are days (周, 星期, 礼拜, 每天, 周末, 工作日, 节假日), ranges (至, 到, ~), times (8:30, 8点半, 9时), halves of
    the day (上午, 下午, 晚上, 次日), round the clock (24小时, 全天) and closed (休息, 闭馆 ...). 工作日 is Monday to
    Friday and not on public holidays. Seasons, last admissions, bare hours (8-18) and times around noon (中午1点) are
    not guessed.

    Examples
    --------
    >>> translate_hours("周一至周五 9:00-17:00")
    'Mo-Fr 9:00-17:00'
    >>> translate_hours("上午8:30-12:00,下午2:00-5:30;周日休息")
    '8:30-12:00,14:00-17:30; Su off'
    """
    out = unicodedata.normalize("NFKC", text).replace("。", ";").replace("‐", "-").strip()
    out = re.sub(rf"每?{_WEEK}{_DAY}+(?:[、,和至到~—–-]+{_WEEK}?{_DAY}+)*", _week_days, out)
    working = "工作日" in out
    for pattern, new in _WORDS:
        out = re.sub(pattern, new, out).strip()
    out = re.sub(r"(下午|晚上|傍晚|夜间|晚(?=\s*\d))([^上早凌次翌第;A-Z]*)", _afternoon, out)
    out = re.sub(_MORNING, "", out)
    for pattern, new in _MARKS:
        out = re.sub(pattern, new, out)
    out = out.strip(" ,;")
    if not [rule for rule in out.split(";") if "off" not in rule]:
        return ""
    return f"{out}; PH off" if working and "PH" not in out else out
