"""The language of a text: told where there is enough of it."""

from tasks.language import language_of

ENGLISH = (
    "Apples grow on trees in the orchard behind the house. The gardener picks them by hand in October, when the nights are cold, "
    "and keeps them in the shed until spring. Some are pressed for juice, and the best ones are sold on the market in town."
)
GERMAN = (
    "Die Äpfel wachsen an den Bäumen im Garten hinter dem Haus. Der Gärtner pflückt sie im Oktober von Hand, wenn die Nächte kalt "
    "sind, und bewahrt sie bis zum Frühling im Schuppen auf. Manche werden zu Saft gepresst, die besten auf dem Markt verkauft."
)
JAPANESE = "りんごは家の裏の果樹園の木に実ります。庭師は夜が寒くなる十月に手で摘み取り、春まで小屋に保管します。" * 5


def test_languages_are_told_apart():
    assert [language_of(text) for text in (ENGLISH, GERMAN, JAPANESE)] == ["en", "de", "ja"]


def test_a_short_text_has_no_language():
    assert language_of("Die Äpfel wachsen") is None
    assert language_of(" " * 500) is None


def test_a_table_of_numbers_has_no_language():
    assert language_of("| 3.14 | 42 | 0x7f |\n" * 50) is None


def test_only_the_beginning_of_a_text_is_looked_at():
    assert language_of(ENGLISH * 20 + GERMAN * 100) == "en"
