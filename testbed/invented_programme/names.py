"""Names for invented people and places. None is of a real patient or health centre."""

SITES = ("Namilongo", "Chisomphe", "Kamphulusa")

AREAS = (
    ("Mlelemba", "Khwisa", "Nsanjama", "Dzoole"),
    ("Mkwinda", "Chagunda", "Phimbi", "Nasiyaya"),
    ("Thambani", "Mphonde", "Kadikira", "Mpanda Hill"),
)

SURNAMES = (
    "Banda", "Phiri", "Mwale", "Chirwa", "Nkhoma", "Tembo", "Zulu", "Gondwe", "Jere", "Kamanga",
    "Mbewe", "Kachale", "Chisale", "Mkandawire", "Msiska", "Nyirenda", "Kalua", "Maseko", "Sakala",
    "Lungu", "Ngwira", "Mhango", "Makwinja", "Chipeta", "Namagowa", "Likoswe",
)  # fmt: skip

WOMEN = (
    "Grace", "Mercy", "Esnart", "Memory", "Ruth", "Chisomo", "Tamanda", "Alinafe", "Thokozani",
    "Mphatso", "Fatsani", "Tiyamike", "Wezi", "Chifundo", "Yankho", "Lusungu", "Madalitso",
    "Atupele", "Eliza", "Loveness", "Tadala", "Ethel", "Upile", "Zione",
)  # fmt: skip

MEN = (
    "Blessings", "Kondwani", "Yamikani", "Limbani", "Wongani", "Innocent", "Dalitso", "Chikondi",
    "Mavuto", "Pemphero", "Takondwa", "Gift", "Precious", "Lameck", "Symon", "Chimwemwe",
    "Hastings", "Lovemore", "Kingsley", "Moses", "Aubrey", "Zikomo", "Davie", "Wisdom",
)  # fmt: skip
